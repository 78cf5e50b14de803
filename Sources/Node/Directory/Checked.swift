import Bytes

/// Bytes behind their CRC-32C: the form of the small files that are always replaced whole.
enum Checked {
  /// The checksum, then the bytes.
  static func wrap(_ bytes: [UInt8]) -> [UInt8] {
    var writer = ByteWriter(capacity: bytes.count + 4)
    writer.u32(CRC32C.checksum(bytes))
    writer.raw(bytes)
    return writer.bytes
  }

  /// The bytes, or nil where they don't fit their checksum.
  static func unwrap(_ file: [UInt8]) -> [UInt8]? {
    var reader = ByteReader(file)
    guard let expected = try? reader.u32(), let bytes = try? reader.bytes(reader.remaining) else { return nil }
    return CRC32C.checksum(bytes) == expected ? bytes : nil
  }
}
