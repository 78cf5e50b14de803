public import Bytes

/// What stands beside a snapshot's file that is not finished: of which export it is. See kv-snapshot(5).
public struct SnapshotPart: Equatable, Sendable {
  /// What the file will say of itself; what is to be counted is zero.
  public var statement: SnapshotStatement
  /// Whether every version was asked for.
  public var history: Bool
  /// The time of the export as it was asked for; empty: the present.
  public var at: [UInt8]
  /// The time after which changes were asked for; empty: none was.
  public var since: [UInt8]

  /// The longest text that is one.
  public static let mostBytes = 4 * Limits.keyBytes.rawValue
  private static let magic = Array("kv-spart".utf8)
  private static let format: UInt32 = 1

  /// A part of an export of these properties.
  public init(statement: SnapshotStatement, history: Bool, at: [UInt8], since: [UInt8]) {
    self.statement = statement
    self.history = history
    self.at = at
    self.since = since
  }

  /// Whether bytes begin as those of a part do, whatever has become of the rest.
  public static func isOne(_ bytes: [UInt8]) -> Bool { bytes.starts(with: magic) }

  /// The encoded part: `kv-spart`, format u32 = 1, statement, history u8, the two times, CRC-32C of all that u32.
  /// Statement and times stand behind a varint of their length.
  public func encoded() -> [UInt8] {
    var writer = ByteWriter(capacity: 256)
    writer.raw(Self.magic)
    writer.u32(Self.format)
    writer.string(statement.encoded())
    writer.u8(history ? 1 : 0)
    writer.string(at)
    writer.string(since)
    writer.u32(CRC32C.checksum(writer.bytes))
    return writer.bytes
  }

  /// Reads a part that `encoded` gave.
  public init(decoding bytes: [UInt8]) throws(ByteError) {
    var reader = ByteReader(bytes)
    let magic = try reader.bytes(Self.magic.count)
    guard magic == Self.magic else {
      throw .malformed(offset: 0, expected: "kv-spart", found: Escaping.text(magic))
    }
    let format = try reader.u32()
    guard format == Self.format else {
      throw .malformed(offset: 8, expected: "format \(Self.format)", found: "\(format)")
    }
    statement = try SnapshotStatement(decoding: try reader.string(limit: Self.mostBytes))
    let flag = try reader.u8()
    history = flag == 1
    at = try reader.string(limit: Limits.keyBytes.rawValue)
    since = try reader.string(limit: Limits.keyBytes.rawValue)
    let (end, stored) = (reader.offset, try reader.u32())
    try reader.finish()
    let actual = CRC32C.checksum(Array(bytes[..<end]))
    guard stored == actual, flag <= 1 else {
      throw .malformed(offset: end, expected: "the checksum of what stands before", found: "another")
    }
  }
}
