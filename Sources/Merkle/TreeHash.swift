/// The SHA-256 of a leaf, an inner node or a whole tree.
public struct TreeHash: Hashable, Sendable {
  /// The bytes of a hash.
  public static let count = SHA256.digestBytes

  private var words: (UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0)

  /// A hash whose bytes `fill` writes.
  ///
  /// SAFETY: here as below, the four words are 32 bytes without padding, lent for the call.
  init(filledBy fill: (UnsafeMutableRawBufferPointer) -> Void) {
    withUnsafeMutableBytes(of: &words) { fill($0) }
  }

  /// The hash of these 32 bytes; nil for another number of them.
  public init?(_ bytes: [UInt8]) {
    guard bytes.count == Self.count else { return nil }
    self.init { $0.copyBytes(from: bytes) }
  }

  /// Lends the bytes.
  public func withBytes<Result>(_ body: (UnsafeRawBufferPointer) -> Result) -> Result {
    withUnsafeBytes(of: words) { body($0) }
  }

  /// The bytes.
  public var bytes: [UInt8] { withBytes { Array($0) } }

  public static func == (left: TreeHash, right: TreeHash) -> Bool { left.words == right.words }

  public func hash(into hasher: inout Hasher) { withBytes { hasher.combine(bytes: $0) } }
}
