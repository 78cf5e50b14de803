/// A sum, mod 2^256, of the SHA-256 of records: the leaf of a tree over a store (DESIGN §8).
///
/// A digest counts as a number whose first byte is the lowest. Sums do not depend on the order in which records are
/// added, nor on the files that they lie in, and the sum over two sets is the sum of theirs. (Bellare and Micciancio,
/// "A New Paradigm for Collision-Free Hashing", EUROCRYPT '97, name what it withstands: accidents by far, an attacker
/// who may choose very many records not for ever.)
public struct RecordSum: Hashable, Sendable {
  /// The bytes of an encoded sum.
  public static let encodedBytes = 32

  // From the lowest word to the highest.
  private var first: UInt64 = 0
  private var second: UInt64 = 0
  private var third: UInt64 = 0
  private var fourth: UInt64 = 0

  /// The sum over no records.
  public init() {}

  /// A sum of one digest; the buffer must hold its 32 bytes.
  public init(digest: UnsafeRawBufferPointer) {
    precondition(digest.count == Self.encodedBytes)
    // SAFETY: the four loads lie within the 32 bytes.
    first = UInt64(littleEndian: digest.loadUnaligned(fromByteOffset: 0, as: UInt64.self))
    second = UInt64(littleEndian: digest.loadUnaligned(fromByteOffset: 8, as: UInt64.self))
    third = UInt64(littleEndian: digest.loadUnaligned(fromByteOffset: 16, as: UInt64.self))
    fourth = UInt64(littleEndian: digest.loadUnaligned(fromByteOffset: 24, as: UInt64.self))
  }

  /// Adds the records of another sum.
  public mutating func add(_ other: RecordSum) {
    var carry: UInt64 = 0
    first = Self.sum(first, other.first, &carry)
    second = Self.sum(second, other.second, &carry)
    third = Self.sum(third, other.third, &carry)
    fourth = Self.sum(fourth, other.fourth, &carry)
  }

  @inline(__always)
  private static func sum(_ left: UInt64, _ right: UInt64, _ carry: inout UInt64) -> UInt64 {
    let (half, over) = left.addingReportingOverflow(right)
    let (whole, overAgain) = half.addingReportingOverflow(carry)
    carry = over || overAgain ? 1 : 0
    return whole
  }

  /// Lends the sum as 32 bytes, the lowest first.
  func withBytes<Result>(_ body: (UnsafeRawBufferPointer) -> Result) -> Result {
    let words = (first.littleEndian, second.littleEndian, third.littleEndian, fourth.littleEndian)
    // SAFETY: four words are 32 bytes without padding, lent for the call.
    return withUnsafeBytes(of: words) { body($0) }
  }

  /// The sum as 32 bytes, the lowest first.
  public var bytes: [UInt8] { withBytes { Array($0) } }
}
