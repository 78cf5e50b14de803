import Bytes

/// A place in the whole log: a segment's sequence number in the upper half, an offset in its file in the lower.
struct LogPosition: RawRepresentable, Hashable, Comparable {
  let rawValue: UInt64
  init(rawValue: UInt64) { self.rawValue = rawValue }
  init(sequence: UInt64, offset: Int) {
    precondition(sequence < 1 << 32 && offset >= 0 && offset < 1 << 32)
    rawValue = sequence << 32 | UInt64(offset)
  }
  var sequence: UInt64 { rawValue >> 32 }
  var offset: Int { Int(rawValue & 0xffff_ffff) }
  static func < (left: LogPosition, right: LogPosition) -> Bool { left.rawValue < right.rawValue }
}

/// The head of a segment, written twice so that one bad sector does not hide the segment (kv-log(5)).
struct SegmentHeader: Equatable {
  static let magic = Array("kvlogseg".utf8)
  static let version: UInt32 = 1
  /// The size of one copy.
  static let bytes = 64
  /// Where the second copy is: in the second sector.
  static let copyOffset = 512
  /// Where the frames begin.
  static let blockBytes = 1024

  /// The size of the file, durable before the header is written: a shorter one was cut, and may have lost frames. 0 in
  /// files of before this was noted.
  var fileBytes: Int
  /// The number drawn when the log was made.
  var identity: UInt64
  /// The number of the segment: one more than that of the segment before.
  var sequence: UInt64
  /// The number of the first frame.
  var firstFrame: UInt64
  /// Where the log ended when the segment was begun: everything before is durable.
  var previousEnd: LogPosition
  /// The first segment still needed when this one was begun.
  var oldest: UInt64
  /// Whether whoever leaves the segment for the next one says so behind its last frame, as releases of before did not.
  var isMarkedWhenLeft = true

  /// What the first kibibyte of a segment file holds.
  enum Reading: Equatable {
    case header(SegmentHeader)
    /// Zeros: a segment made ahead.
    case blank
    /// A valid header of another format.
    case unsupported(UInt32)
    case damaged
  }

  /// Appends both copies and the zeros around them.
  func encode(into writer: inout ByteWriter) {
    for _ in 0..<2 {
      let start = writer.count
      writer.raw(SegmentHeader.magic)
      writer.u32(SegmentHeader.version)
      writer.u32(UInt32(fileBytes))
      writer.u64(identity)
      writer.u64(sequence)
      writer.u64(firstFrame)
      writer.u64(previousEnd.rawValue)
      writer.u64(oldest)
      writer.u32(isMarkedWhenLeft ? 1 : 0)
      writer.u32(CRC32C.checksum(Array(writer.bytes[start...])))
      writer.raw([UInt8](repeating: 0, count: SegmentHeader.copyOffset - SegmentHeader.bytes))
    }
  }

  /// Reads the first kibibyte of a segment file, or as much of it as there is.
  static func read(_ block: [UInt8]) -> Reading {
    if block.count == blockBytes, block.allSatisfy({ $0 == 0 }) { return .blank }
    for start in [0, copyOffset] where start + bytes <= block.count {
      var reader = ByteReader(block, range: start..<start + bytes)
      if let reading = try? read(&reader, checksum: CRC32C.checksum(Array(block[start..<start + bytes - 4]))) {
        return reading
      }
    }
    return .damaged
  }

  private static func read(_ reader: inout ByteReader, checksum: UInt32) throws(ByteError) -> Reading? {
    guard try reader.bytes(magic.count) == magic else { return nil }
    let version = try reader.u32()
    let header = SegmentHeader(
      fileBytes: Int(try reader.u32()), identity: try reader.u64(), sequence: try reader.u64(),
      firstFrame: try reader.u64(), previousEnd: LogPosition(rawValue: try reader.u64()), oldest: try reader.u64(),
      isMarkedWhenLeft: try reader.u32() & 1 != 0)
    guard try reader.u32() == checksum else { return nil }
    return version == SegmentHeader.version ? .header(header) : .unsupported(version)
  }

  /// The checksum with which every checksum in the segment begins: so nothing that was written to the same file under
  /// another number, or to another log, is taken for this segment's.
  static func seed(identity: UInt64, sequence: UInt64) -> UInt32 {
    var writer = ByteWriter(capacity: 16)
    writer.u64(identity)
    writer.u64(sequence)
    return CRC32C.checksum(writer.bytes)
  }
}
