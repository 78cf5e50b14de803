import Bytes
import Environment
import Table

/// The frames of a manifest: a header, then edits and seals.
///
/// Every edit is synced before anything relies on it; then a seal is written behind it, without a sync. The seal
/// says "what is before me is durable". So a damaged frame with a seal anywhere behind it is damage; one without is
/// the torn end of an edit on which nothing relied.
///
/// SAFETY: a frame's checksum is taken over ranges that a reader with bounds has found within the bytes.
enum ManifestFormat {
  static let magic = Array("kv-manif".utf8)
  static let version: UInt32 = 1
  /// Magic, version u32, CRC-32C of both.
  static let headerBytes = 16
  /// CRC-32C u32, payload length u32, type u8.
  static let frameHeaderBytes = 9
  static let sealBytes = frameHeaderBytes + 8
  /// The largest manifest that is read.
  static let maximumBytes = 256 << 20

  enum FrameType: UInt8 {
    case edit = 1
    case seal = 2
  }

  static func header() -> [UInt8] {
    var writer = ByteWriter(capacity: headerBytes)
    writer.raw(magic)
    writer.u32(version)
    writer.u32(CRC32C.checksum(writer.bytes))
    return writer.bytes
  }

  /// A frame that begins at an offset, which its checksum covers.
  static func frame(_ type: FrameType, _ payload: [UInt8], at offset: UInt64) -> [UInt8] {
    var writer = ByteWriter(capacity: frameHeaderBytes + payload.count)
    writer.u32(0)
    writer.u32(UInt32(payload.count))
    writer.u8(type.rawValue)
    writer.raw(payload)
    let checksum = writer.bytes.withRawBytes { Self.checksum($0, at: offset) }
    writer.patch(u32: checksum, at: 0)
    return writer.bytes
  }

  /// A seal at an offset: its payload is the offset again.
  static func seal(at offset: UInt64) -> [UInt8] {
    var writer = ByteWriter(capacity: 8)
    writer.u64(offset)
    return frame(.seal, writer.bytes, at: offset)
  }

  private static func checksum(_ frame: UnsafeRawBufferPointer, at offset: UInt64) -> UInt32 {
    let seed = withUnsafeBytes(of: offset.littleEndian) { CRC32C.checksum($0) }
    return CRC32C.checksum(UnsafeRawBufferPointer(rebasing: frame[4...]), seed: seed)
  }

  /// A frame found whole.
  struct Frame {
    let type: FrameType
    let payload: Range<Int>
  }

  /// The frame at an offset, or what is wrong with it.
  static func readFrame(_ bytes: [UInt8], at offset: Int) throws(ByteError) -> Frame {
    var reader = ByteReader(bytes, range: offset..<bytes.count)
    let stored = try reader.u32()
    let length = Int(try reader.u32())
    let code = try reader.u8()
    let payload = try reader.range(length)
    let actual = bytes.withRawBytes {
      checksum(UnsafeRawBufferPointer(rebasing: $0[offset..<payload.upperBound]), at: UInt64(offset))
    }
    guard stored == actual else {
      throw .malformed(offset: offset, expected: "CRC-32C \(hexadecimal(stored))", found: hexadecimal(actual))
    }
    guard let type = FrameType(rawValue: code) else {
      throw .malformed(offset: offset + 8, expected: "a frame type of 1 or 2", found: "\(code)")
    }
    return Frame(type: type, payload: payload)
  }

  /// The offset of the first seal that begins at or after an offset.
  static func firstSeal(in bytes: [UInt8], from start: Int) -> Int? {
    guard bytes.count >= sealBytes else { return nil }
    for at in stride(from: start, through: bytes.count - sealBytes, by: 1)
    where bytes[at + 8] == FrameType.seal.rawValue && bytes[at + 4] == 8 {
      if Array(bytes[at..<at + sealBytes]) == seal(at: UInt64(at)) { return at }
    }
    return nil
  }
}
