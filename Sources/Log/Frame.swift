import Bytes

/// The head of a frame: what one batch, or its part in one segment, begins with (kv-log(5)).
struct FrameHeader: Equatable {
  enum Kind: UInt32 {
    /// "kvLB": records follow.
    case batch = 0x424c_766b
    /// "kvLM": everything before is durable. The next batch is written over it.
    case mark = 0x4d4c_766b
  }

  static let bytes = 40
  /// Frames begin at multiples of this.
  static let alignment = 8

  var kind: Kind
  /// Counts the batches of a log; a mark has the number of the batch that will replace it.
  var number: UInt64
  /// Everything before this was durable when the frame was written.
  var durable: LogPosition
  /// The first segment still needed.
  var oldest: UInt64
  var recordCount: Int
  /// The bytes of all records' payloads.
  var payloadBytes: Int

  /// The size of the frame on the disk, padding included.
  var frameBytes: Int {
    FrameHeader.aligned(FrameHeader.bytes + recordCount * RecordHeader.bytes + payloadBytes)
  }

  static func aligned(_ count: Int) -> Int { (count + alignment - 1) / alignment * alignment }

  /// Appends the header; its checksum is still to be patched in, when the record headers follow it.
  func encode(into writer: inout ByteWriter) {
    writer.u32(kind.rawValue)
    writer.u32(0)
    writer.u64(number)
    writer.u64(durable.rawValue)
    writer.u64(oldest)
    writer.u32(UInt32(recordCount))
    writer.u32(UInt32(payloadBytes))
  }

  /// Patches the checksum of a frame that starts at `start` in the writer and at `offset` in its segment.
  func seal(_ writer: inout ByteWriter, at start: Int, seed: UInt32, offset: Int) {
    let end = start + FrameHeader.bytes + recordCount * RecordHeader.bytes
    let checksum = writer.bytes.withUnsafeBytes {
      // SAFETY: the header and its records' were written at `start`, so that the range lies within the writer's bytes;
      // the slice, which traps where it doesn't, is used within the closure only.
      FrameHeader.checksum(UnsafeRawBufferPointer(rebasing: $0[start + 8..<end]), seed: seed, offset: offset)
    }
    writer.patch(u32: checksum, at: start + 4)
  }

  /// The checksum of the header and the record headers without their first eight bytes, after the segment's seed and
  /// the frame's offset: a frame that a disk put elsewhere is not believed there.
  static func checksum(_ bytes: UnsafeRawBufferPointer, seed: UInt32, offset: Int) -> UInt32 {
    withUnsafeBytes(of: UInt64(offset).littleEndian) { place in
      // SAFETY: both buffers are only read, and only within this call.
      CRC32C.checksum(bytes, seed: CRC32C.checksum(place, seed: seed))
    }
  }

  /// The bytes that the frame at an offset has by what is left of its header, valid or not; those of a header where
  /// there is none, and never more than there are.
  static func claimedBytes(_ bytes: [UInt8], at offset: Int) -> Int {
    let rest = max(0, bytes.count - offset)
    guard rest > FrameHeader.bytes else { return rest }
    var reader = ByteReader(bytes, range: offset..<bytes.count)
    guard let header = try? decode(&reader)?.header else { return FrameHeader.bytes }
    return min(header.frameBytes, rest)
  }

  /// Reads the header at an offset of a segment, its records' included; nil unless the whole of it is valid and the
  /// frame ends within the bytes.
  static func read(_ bytes: [UInt8], at offset: Int, seed: UInt32) -> (FrameHeader, [RecordHeader])? {
    guard offset + FrameHeader.bytes <= bytes.count else { return nil }
    var reader = ByteReader(bytes, range: offset..<bytes.count)
    return try? read(&reader, bytes, at: offset, seed: seed)
  }

  private static func decode(_ reader: inout ByteReader) throws(ByteError) -> (header: FrameHeader, checksum: UInt32)? {
    guard let kind = Kind(rawValue: try reader.u32()) else { return nil }
    let checksum = try reader.u32()
    let header = FrameHeader(
      kind: kind, number: try reader.u64(), durable: LogPosition(rawValue: try reader.u64()),
      oldest: try reader.u64(), recordCount: Int(try reader.u32()), payloadBytes: Int(try reader.u32()))
    return (header, checksum)
  }

  private static func read(
    _ reader: inout ByteReader, _ bytes: [UInt8], at offset: Int, seed: UInt32
  ) throws(ByteError) -> (FrameHeader, [RecordHeader])? {
    guard let (header, expected) = try decode(&reader) else { return nil }
    guard header.frameBytes <= bytes.count - offset else { return nil }
    let end = offset + FrameHeader.bytes + header.recordCount * RecordHeader.bytes
    let found = bytes.withUnsafeBytes {
      // SAFETY: `frameBytes`, which covers the header and the records', was found to end within the bytes; 32-bit counts
      // can't overflow it. The slice is used within the closure only.
      checksum(UnsafeRawBufferPointer(rebasing: $0[offset + 8..<end]), seed: seed, offset: offset)
    }
    guard found == expected else { return nil }
    var records: [RecordHeader] = []
    records.reserveCapacity(header.recordCount)
    for _ in 0..<header.recordCount { records.append(try RecordHeader(from: &reader)) }
    guard records.reduce(0, { $0 + $1.payloadBytes }) == header.payloadBytes, records.allSatisfy(\.isSane) else {
      return nil
    }
    return (header, records)
  }
}

/// What a record says of its group, besides entries.
struct RecordFlags: OptionSet {
  let rawValue: UInt32
  static let hardState = RecordFlags(rawValue: 1 << 0)
  static let reset = RecordFlags(rawValue: 1 << 1)
  static let compacted = RecordFlags(rawValue: 1 << 2)
  static let removed = RecordFlags(rawValue: 1 << 3)
  static let entries = RecordFlags(rawValue: 1 << 4)
  /// The group's whole state but its entries, written anew so that old segments can go.
  static let checkpoint = RecordFlags(rawValue: 1 << 5)
}

/// The head of one record: which group it is for, and where its entries belong, so that damage to the payload can be
/// named.
struct RecordHeader: Equatable {
  static let bytes = 40

  var group: GroupID
  var payloadBytes: Int
  /// The checksum of the payload, after the segment's seed.
  var checksum: UInt32
  var flags: RecordFlags
  /// Counts the group's records from 1, so that it shows whether one is missing. 1 says that the group is new here.
  var ordinal: UInt64
  /// The first and the last entry's index; both zero without entries.
  var first: LogIndex
  var last: LogIndex

  /// No group has an entry from here on; so the difference of two indices is always a number.
  private static let endOfIndices = LogIndex(rawValue: 1 << 62)

  /// Whether the fields fit each other.
  var isSane: Bool {
    guard ordinal > 0, ordinal < .max else { return false }
    guard flags.contains(.entries) else { return first == .zero && last == .zero }
    return first > .zero && first <= last && last < RecordHeader.endOfIndices
  }

  func encode(into writer: inout ByteWriter) {
    writer.u32(group.rawValue)
    writer.u32(UInt32(payloadBytes))
    writer.u32(checksum)
    writer.u32(flags.rawValue)
    writer.u64(ordinal)
    writer.u64(first.rawValue)
    writer.u64(last.rawValue)
  }
}

extension RecordHeader {
  init(from reader: inout ByteReader) throws(ByteError) {
    group = GroupID(rawValue: try reader.u32())
    payloadBytes = Int(try reader.u32())
    checksum = try reader.u32()
    flags = RecordFlags(rawValue: try reader.u32())
    ordinal = try reader.u64()
    first = LogIndex(rawValue: try reader.u64())
    last = LogIndex(rawValue: try reader.u64())
  }
}
