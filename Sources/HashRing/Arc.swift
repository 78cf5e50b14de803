public import Bytes

/// A power-of-two part of the ring: all positions that begin with the same bits.
///
/// An arc is written as two numbers, the length of that prefix and its value: `Arc(bits: 4, prefix: 5)` is the sixth
/// of sixteen equal parts. Two arcs are disjoint or one holds the other, so that a split is a cut.
public struct Arc: Hashable, Sendable, CustomStringConvertible {
  /// The longest prefix: an arc of a single position.
  public static let maximumBits: UInt8 = 64
  /// All positions.
  public static let ring = Arc(bits: 0, prefix: 0)
  /// The bytes that `encode` writes.
  public static let encodedBytes = 9

  /// The number of leading bits that all its positions share.
  public let bits: UInt8
  /// Those bits as a number: the arc's place, from 0, among the 2^bits equal parts of the ring.
  public let prefix: UInt64

  /// The arc of a prefix that is known to be valid: at most 64 bits, with a value that fits them.
  public init(bits: UInt8, prefix: UInt64) {
    precondition(Arc.isValid(bits: UInt64(bits), prefix: prefix))
    self.bits = bits
    self.prefix = prefix
  }

  /// The arc of two numbers from outside; throws `RingError.badArc` where they are not one.
  public init(validating bits: UInt64, prefix: UInt64) throws(RingError) {
    guard Arc.isValid(bits: bits, prefix: prefix) else { throw .badArc(bits: bits, prefix: prefix) }
    self.bits = UInt8(bits)
    self.prefix = prefix
  }

  private static func isValid(bits: UInt64, prefix: UInt64) -> Bool {
    // A shift by 64 leaves 0: with 64 bits every prefix fits.
    bits <= UInt64(maximumBits) && prefix >> bits == 0
  }

  /// The lowest position of the arc.
  public var first: Position {
    Position(rawValue: prefix << (UInt64(Arc.maximumBits) - UInt64(bits)))
  }

  /// The highest position of the arc, which belongs to it.
  public var last: Position { Position(rawValue: first.rawValue | (UInt64.max >> UInt64(bits))) }

  /// Whether the position lies in the arc.
  public func contains(_ position: Position) -> Bool {
    position.rawValue >> (UInt64(Arc.maximumBits) - UInt64(bits)) == prefix
  }

  /// Whether the whole of the other arc lies in this one.
  public func contains(_ other: Arc) -> Bool {
    bits <= other.bits && contains(other.first)
  }

  /// Whether they have positions in common: then one lies in the other.
  public func overlaps(_ other: Arc) -> Bool { contains(other) || other.contains(self) }

  /// The two halves in ring order, or nil for an arc of a single position.
  public func split() -> (lower: Arc, upper: Arc)? {
    guard bits < Arc.maximumBits else { return nil }
    return (Arc(bits: bits + 1, prefix: prefix << 1), Arc(bits: bits + 1, prefix: prefix << 1 | 1))
  }

  /// The ring in `count` equal arcs, in ring order; throws where that is not a power of two from 1 to
  /// `Limits.partitions`.
  public static func equalParts(count: Int) throws(RingError) -> [Arc] {
    guard (1...Limits.partitions).contains(count), count & (count - 1) == 0 else {
      throw .badPartCount(found: count, limit: Limits.partitions)
    }
    let bits = UInt8(count.trailingZeroBitCount)
    return (0..<UInt64(count)).map { Arc(bits: bits, prefix: $0) }
  }

  /// Its place and the number of such parts, from 0: `5/16`, and `0/1` for the whole ring.
  public var description: String { "\(prefix)/\(UInt128(1) << UInt128(bits))" }

  /// Appends the arc: bits u8, prefix u64.
  public func encode(into writer: inout ByteWriter) {
    writer.u8(bits)
    writer.u64(prefix)
  }

  /// Reads an arc that `encode` wrote.
  public init(from reader: inout ByteReader) throws(ByteError) {
    let start = reader.offset
    let bits = try reader.u8()
    let prefix = try reader.u64()
    guard Arc.isValid(bits: UInt64(bits), prefix: prefix) else {
      throw .malformed(
        offset: start,
        expected: "an arc of at most \(Arc.maximumBits) bits with a prefix that fits them",
        found: "\(bits) bits and prefix \(prefix)")
    }
    self.bits = bits
    self.prefix = prefix
  }
}
