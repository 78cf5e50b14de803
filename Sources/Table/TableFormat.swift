import Bytes

/// The constants of the table format, which kv-sstable(5) describes byte by byte.
enum TableFormat {
  /// The last eight bytes of every table, `kv-table` in ASCII.
  static let magic = Array("kv-table".utf8)
  /// The version of the format that this code writes and the newest that it reads.
  static let version: UInt32 = 1
  /// The bytes of a footer.
  static let footerBytes = 52
  /// In the first byte of an entry: a span follows the version.
  static let spanFlag: UInt8 = 2
  /// The bytes before the payload of a block.
  static let blockHeaderBytes = 12
  /// The most entries from one restart point to the next.
  static let maximumRestartInterval = 64
  /// The most bytes that a data or index block's payload takes: one entry of full size, its lengths, span and restart point.
  static let maximumPayloadBytes = Limits.valueBytes.rawValue + Limits.keyBytes.rawValue + 64
}

/// What a block holds: the byte at offset 8 of its header.
enum BlockType: UInt8, Sendable {
  case data = 1
  case index = 2
  case topIndex = 3
  case filter = 4
  case properties = 5
  case directory = 6
}

/// Where a block lies in its file, header included.
struct BlockHandle: Equatable, Sendable {
  /// The bytes of an encoded handle.
  static let encodedBytes = 12

  let offset: UInt64
  let length: UInt32

  /// The offset behind the block's last byte.
  var end: UInt64 { offset + UInt64(length) }

  /// Appends the handle: offset u64, length u32.
  func encode(into writer: inout ByteWriter) {
    writer.u64(offset)
    writer.u32(length)
  }
}

extension BlockHandle {
  /// Reads a handle that `encode` wrote. Refuses one whose block would not lie within the first `limit` bytes.
  init(from reader: inout ByteReader, limit: UInt64) throws(ByteError) {
    let start = reader.offset
    let offset = try reader.u64()
    let length = try reader.u32()
    guard length >= UInt32(TableFormat.blockHeaderBytes), offset <= limit, UInt64(length) <= limit - offset else {
      throw .malformed(
        offset: start, expected: "a block within the first \(limit) bytes", found: "\(length) bytes at \(offset)")
    }
    self.init(offset: offset, length: length)
  }
}
