public import Bytes

/// A sum of hashes over records: equal sums say that two sets of records are, but for an accident of 2^-128, the same,
/// whatever their order and files. It finds what code or memory did to records on their way through a compaction;
/// against forgery it is no help.
///
/// A record counts by key, version, kind and value. What else it knows (`span`) changes while it is folded.
public struct RecordDigest: Equatable, Sendable {
  /// The bytes of an encoded digest.
  static let encodedBytes = 16

  private var low: UInt64
  private var high: UInt64

  /// The sum over no records.
  public static let zero = RecordDigest(low: 0, high: 0)

  private init(low: UInt64, high: UInt64) {
    self.low = low
    self.high = high
  }

  /// Adds a record.
  public mutating func add(_ record: RecordView) {
    var state = Fold(seed: record.version.rawValue ^ UInt64(record.kind.rawValue) << 63)
    state.add(record.key)
    state.add(record.value)
    low &+= state.first
    high &+= state.second
  }

  /// Takes a record out again that was added.
  public mutating func remove(_ record: RecordView) {
    var alone = RecordDigest.zero
    alone.add(record)
    remove(alone)
  }

  /// Takes the records of another sum out again that were added.
  public mutating func remove(_ other: RecordDigest) {
    low &-= other.low
    high &-= other.high
  }

  /// Adds the records of another sum.
  public mutating func add(_ other: RecordDigest) {
    low &+= other.low
    high &+= other.high
  }

  /// Appends the sum: its two halves as u64.
  public func encode(into writer: inout ByteWriter) {
    writer.u64(low)
    writer.u64(high)
  }

  /// Reads a sum that `encode` wrote.
  public init(from reader: inout ByteReader) throws(ByteError) {
    low = try reader.u64()
    high = try reader.u64()
  }
}

/// Two hashes of 64 bits that read the same bytes: multiply-and-fold over words, with different factors.
private struct Fold {
  private(set) var first: UInt64
  private(set) var second: UInt64

  init(seed: UInt64) {
    first = seed ^ 0x2d35_8dcc_aa6c_78a5
    second = seed ^ 0x8bb8_4b93_962e_acc9
  }

  /// Adds the bytes and their number, so that they can't run into what follows.
  mutating func add(_ bytes: UnsafeRawBufferPointer) {
    var at = 0
    // SAFETY: every load ends at or before `count`.
    while at &+ 8 <= bytes.count {
      mix(UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: at, as: UInt64.self)))
      at &+= 8
    }
    var tail = UInt64(bytes.count) << 56
    for shift in 0..<(bytes.count &- at) { tail ^= UInt64(bytes[at &+ shift]) << (8 * UInt64(shift)) }
    mix(tail)
  }

  @inline(__always)
  private mutating func mix(_ word: UInt64) {
    let one = (first ^ word).multipliedFullWidth(by: 0xd6e8_feb8_6659_fd93)
    first = one.high ^ one.low
    let two = (second ^ word).multipliedFullWidth(by: 0xa076_1d64_78bd_642f)
    second = two.high &+ two.low
  }
}
