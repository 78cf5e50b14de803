public import Bytes

/// A place on the ring of 2^64 positions, at which a key lives for ever.
///
/// It is the XXH3 64-bit hash of the key's bytes, with seed 0 and the default secret: unkeyed, the same everywhere.
public struct Position: RawRepresentable, Hashable, Comparable, Sendable, CustomStringConvertible {
  /// The position as a number; the ring is closed, so 0 follows the largest.
  public let rawValue: UInt64

  /// The position with this number.
  public init(rawValue: UInt64) {
    self.rawValue = rawValue
  }

  /// The position of a key.
  public init(of key: Key) {
    self.init(ofBytes: key.bytes)
  }

  /// The position of the key with these bytes.
  public init(ofBytes bytes: [UInt8]) {
    // SAFETY: the hash only reads, within the array, while the call lasts.
    rawValue = bytes.withUnsafeBytes { XXH3.hash($0) }
  }

  /// The position of the key that lies in a range of these bytes.
  public init(ofBytes bytes: [UInt8], range: Range<Int>) {
    precondition(range.upperBound <= bytes.count, "a key outside of its bytes")
    // SAFETY: the hash only reads, within the array, while the call lasts; the range lies within it.
    rawValue = bytes.withUnsafeBytes { XXH3.hash(UnsafeRawBufferPointer(rebasing: $0[range])) }
  }

  /// The position of the key with these bytes.
  public init(ofBytes bytes: UnsafeRawBufferPointer) {
    rawValue = XXH3.hash(bytes)
  }

  public static func < (left: Position, right: Position) -> Bool { left.rawValue < right.rawValue }

  /// Sixteen hexadecimal digits.
  public var description: String {
    let digits = String(rawValue, radix: 16)
    return String(repeating: "0", count: 16 - digits.count) + digits
  }
}
