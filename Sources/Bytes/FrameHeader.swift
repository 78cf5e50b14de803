/// The eight bytes before every payload on a connection: payload length u32, frame kind u8, wire version u8,
/// reserved u16 = 0, little-endian.
public struct FrameHeader: Hashable, Sendable {
  /// The encoded size in bytes.
  public static let encodedBytes = 8
  /// The only wire version that there is.
  public static let wireVersion: UInt8 = 1

  /// The number of bytes that follow.
  public let payloadBytes: Int
  /// What the payload is; the wire's messages give the kinds their meaning.
  public let kind: UInt8

  /// A header of these parts. The payload must not be larger than a frame (`Limits.frameBytes`).
  public init(kind: UInt8, payloadBytes: Int) {
    precondition(payloadBytes >= 0 && payloadBytes <= Limits.frameBytes.rawValue)
    self.kind = kind
    self.payloadBytes = payloadBytes
  }

  /// The encoded header as one integer, to be stored little-endian.
  public var word: UInt64 {
    UInt64(payloadBytes) | UInt64(kind) << 32 | UInt64(FrameHeader.wireVersion) << 40
  }

  /// Reads a header from its integer; refuses other wire versions and payloads of more than `limit` bytes.
  public init(word: UInt64, limit: Int = Limits.frameBytes.rawValue) throws(ByteError) {
    let payloadBytes = Int(UInt32(truncatingIfNeeded: word))
    let version = UInt8(truncatingIfNeeded: word >> 40)
    let reserved = UInt16(truncatingIfNeeded: word >> 48)
    guard version == FrameHeader.wireVersion else {
      throw .malformed(offset: 5, expected: "wire version \(FrameHeader.wireVersion)", found: "\(version)")
    }
    guard reserved == 0 else {
      throw .malformed(offset: 6, expected: "zero in the reserved bytes", found: "\(reserved)")
    }
    guard payloadBytes <= limit else {
      throw .malformed(offset: 0, expected: "a payload of at most \(limit) bytes", found: "\(payloadBytes)")
    }
    self.payloadBytes = payloadBytes
    kind = UInt8(truncatingIfNeeded: word >> 32)
  }

  /// Appends the header.
  public func encode(into writer: inout ByteWriter) {
    writer.u64(word)
  }

  /// Reads a header that `encode` wrote; refuses other wire versions and payloads of more than `limit` bytes.
  public init(from reader: inout ByteReader, limit: Int = Limits.frameBytes.rawValue) throws(ByteError) {
    try self.init(word: try reader.u64(), limit: limit)
  }
}
