import Bytes

/// The fixed end of a table.
struct TableFooter: Equatable, Sendable {
  /// The directory of the runs.
  let directory: BlockHandle
  /// The properties.
  let properties: BlockHandle
  /// The size of the whole file, footer included.
  let fileBytes: UInt64

  /// The footer's 52 bytes.
  func encoded() -> [UInt8] {
    var writer = ByteWriter(capacity: TableFormat.footerBytes)
    directory.encode(into: &writer)
    properties.encode(into: &writer)
    writer.u32(0)
    writer.u64(fileBytes)
    writer.u32(TableFormat.version)
    writer.u32(CRC32C.checksum(writer.bytes + TableFormat.magic))
    writer.raw(TableFormat.magic)
    return writer.bytes
  }

  /// Reads a footer. Every error's offset counts from the footer's first byte.
  init(decoding bytes: [UInt8]) throws(ByteError) {
    var reader = ByteReader(bytes)
    guard bytes.count == TableFormat.footerBytes else {
      throw .truncated(offset: 0, needed: TableFormat.footerBytes, available: bytes.count)
    }
    let magicOffset = bytes.count - TableFormat.magic.count
    guard Array(bytes[magicOffset...]) == TableFormat.magic else {
      throw .malformed(
        offset: magicOffset, expected: "kv-table", found: Escaping.text(Array(bytes[magicOffset...])))
    }
    let checksumOffset = magicOffset - 4
    let actual = CRC32C.checksum(Array(bytes[..<checksumOffset]) + TableFormat.magic)
    var checksumReader = ByteReader(bytes, range: checksumOffset..<magicOffset)
    let stored = try checksumReader.u32()
    guard stored == actual else {
      throw .malformed(offset: checksumOffset, expected: "CRC-32C \(hexadecimal(stored))", found: hexadecimal(actual))
    }
    let versionOffset = checksumOffset - 4
    var versionReader = ByteReader(bytes, range: versionOffset..<checksumOffset)
    let version = try versionReader.u32()
    guard version == TableFormat.version else {
      throw .malformed(offset: versionOffset, expected: "format version \(TableFormat.version)", found: "\(version)")
    }
    var sizeReader = ByteReader(bytes, range: versionOffset - 8..<versionOffset)
    let fileBytes = try sizeReader.u64()
    let limit = fileBytes >= UInt64(bytes.count) ? fileBytes - UInt64(bytes.count) : 0
    directory = try BlockHandle(from: &reader, limit: limit)
    properties = try BlockHandle(from: &reader, limit: limit)
    let flagsOffset = reader.offset
    let flags = try reader.u32()
    guard flags == 0 else { throw .malformed(offset: flagsOffset, expected: "flags 0", found: "\(flags)") }
    self.fileBytes = fileBytes
  }

  init(directory: BlockHandle, properties: BlockHandle, fileBytes: UInt64) {
    self.directory = directory
    self.properties = properties
    self.fileBytes = fileBytes
  }
}
