public import Bytes

/// What a table says about itself: counts and bounds over all of its records.
public struct TableProperties: Equatable, Sendable {
  /// The records, tombstones included.
  public var records: UInt64 = 0
  /// The tombstones.
  public var tombstones: UInt64 = 0
  /// The different keys.
  public var keys: UInt64 = 0
  /// The bytes of all keys and values, uncompressed.
  public var dataBytes: UInt64 = 0
  /// The data blocks.
  public var dataBlocks: UInt64 = 0
  /// The oldest version; `Version.max` in an empty table.
  public var minVersion = Version.max
  /// The newest version; `Version.zero` in an empty table.
  public var maxVersion = Version.zero
  /// The first key.
  public var minKey = Key([])
  /// The last key.
  public var maxKey = Key([])

  /// The properties of an empty table.
  public init() {}
}

extension TableProperties {
  /// The numbers by which fields are stored; a reader passes over numbers that it doesn't know.
  private enum Field: UInt8 {
    case records = 1
    case tombstones, keys, dataBytes, dataBlocks, minVersion, maxVersion, minKey, maxKey
  }

  /// The payload of a properties block: for each field its number u8, its length as a varint and its bytes, integers
  /// as u64.
  func encoded() -> [UInt8] {
    var writer = ByteWriter(capacity: 128)
    func put(_ field: Field, _ value: UInt64) {
      writer.u8(field.rawValue)
      writer.varint(8)
      writer.u64(value)
    }
    func put(_ field: Field, _ key: Key) {
      writer.u8(field.rawValue)
      writer.string(key.bytes)
    }
    put(.records, records)
    put(.tombstones, tombstones)
    put(.keys, keys)
    put(.dataBytes, dataBytes)
    put(.dataBlocks, dataBlocks)
    put(.minVersion, minVersion.rawValue)
    put(.maxVersion, maxVersion.rawValue)
    put(.minKey, minKey)
    put(.maxKey, maxKey)
    return writer.bytes
  }

  /// Reads a payload that `encoded` gave.
  init(decoding payload: [UInt8]) throws(ByteError) {
    self.init()
    var reader = ByteReader(payload)
    var seen: Set<UInt8> = []
    while !reader.isAtEnd {
      let start = reader.offset
      let number = try reader.u8()
      let length = try reader.count(limit: Limits.keyBytes.rawValue)
      guard seen.insert(number).inserted else {
        throw .malformed(offset: start, expected: "each field once", found: "field \(number) again")
      }
      guard let field = Field(rawValue: number) else {
        _ = try reader.range(length)
        continue
      }
      let isKey = field == .minKey || field == .maxKey
      guard isKey || length == 8 else {
        throw .malformed(offset: start, expected: "8 bytes in field \(number)", found: "\(length)")
      }
      switch field {
      case .records: records = try reader.u64()
      case .tombstones: tombstones = try reader.u64()
      case .keys: keys = try reader.u64()
      case .dataBytes: dataBytes = try reader.u64()
      case .dataBlocks: dataBlocks = try reader.u64()
      case .minVersion: minVersion = Version(rawValue: try reader.u64())
      case .maxVersion: maxVersion = Version(rawValue: try reader.u64())
      case .minKey: minKey = Key(try reader.bytes(length))
      case .maxKey: maxKey = Key(try reader.bytes(length))
      }
    }
    for number in Field.records.rawValue...Field.maxKey.rawValue where !seen.contains(number) {
      throw .malformed(offset: payload.count, expected: "field \(number)", found: "the end")
    }
  }
}
