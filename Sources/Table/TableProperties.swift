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
  /// Whether the records are current or history.
  public var tier: Tier
  /// The sum of the records' digests.
  public var digest = RecordDigest.zero

  /// The least edge (`RunProperties.minEdge`); `Version.max` in an empty table.
  public var minEdge = Version.max
  /// The greatest edge; `Version.zero` in an empty table.
  public var maxEdge = Version.zero

  /// Of a snapshot's file, what the cluster says of it; nil of every other table.
  public var seal: SnapshotSeal?

  /// The properties of an empty table.
  public init(tier: Tier) {
    self.tier = tier
  }

  /// Takes a run in: its records and bounds.
  mutating func note(_ run: RunProperties) {
    minKey = records == 0 ? run.minKey : min(minKey, run.minKey)
    maxKey = max(maxKey, run.maxKey)
    records += run.records
    minVersion = min(minVersion, run.minVersion)
    maxVersion = max(maxVersion, run.maxVersion)
    minEdge = min(minEdge, run.minEdge)
    maxEdge = max(maxEdge, run.maxEdge)
  }

  /// Whether number and bounds are those of the runs.
  func isSum(of runs: [RunProperties]) -> Bool {
    var sum = TableProperties(tier: tier)
    for run in runs {
      guard run.records <= .max - sum.records else { return false }
      sum.note(run)
    }
    return sum.records == records && sum.minKey == minKey && sum.maxKey == maxKey && sum.minVersion == minVersion
      && sum.maxVersion == maxVersion && sum.minEdge == minEdge && sum.maxEdge == maxEdge
  }
}

extension TableProperties {
  /// The numbers by which fields are stored; a reader passes over numbers that it doesn't know.
  private enum Field: UInt8 {
    case records = 1
    case tombstones, keys, dataBytes, dataBlocks, minVersion, maxVersion, minKey, maxKey, tier, digest, minEdge, maxEdge
    case statement = 32
    case signature, certificate, authority

    /// Those that every table has.
    static let required = Self.records.rawValue...Self.maxEdge.rawValue

    /// The bytes that the field takes; nil for one that takes any number.
    var bytes: Int? {
      switch self {
      case .minKey, .maxKey, .statement, .signature, .certificate, .authority: nil
      case .tier: 1
      case .digest: RecordDigest.encodedBytes
      default: 8
      }
    }
  }

  /// A stored field as people read it; of a digest, and of what this release doesn't know, the name alone.
  static func text(ofField number: UInt8, _ bytes: [UInt8]) -> String {
    let name = name(ofField: number)
    var reader = ByteReader(bytes)
    switch Field(rawValue: number) {
    case .minKey, .maxKey: return "\(name) \(Escaping.text(bytes))"
    case .signature, .certificate, .authority: return "\(name), \(bytes.count) bytes"
    case .statement: return "\(name) \(SnapshotSeal.text(ofStatement: bytes))"
    case .digest, nil: return name
    case .tier: return (try? reader.u8()).map { "\(name) \($0)" } ?? name
    default: return (try? reader.u64()).map { "\(name) \($0)" } ?? name
    }
  }

  private static func name(ofField number: UInt8) -> String {
    switch Field(rawValue: number) {
    case .records: "records"
    case .tombstones: "tombstones"
    case .keys: "keys"
    case .dataBytes: "data bytes"
    case .dataBlocks: "data blocks"
    case .minVersion: "least version"
    case .maxVersion: "greatest version"
    case .minKey: "first key"
    case .maxKey: "last key"
    case .tier: "tier"
    case .digest: "digest"
    case .minEdge: "least edge"
    case .maxEdge: "greatest edge"
    case .statement: "snapshot"
    case .signature: "signature"
    case .certificate: "certificate of the node that signed"
    case .authority: "certificate of the cluster's authority"
    case nil: "unknown field \(number)"
    }
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
    writer.u8(Field.tier.rawValue)
    writer.string([tier.rawValue])
    writer.u8(Field.digest.rawValue)
    writer.varint(UInt64(RecordDigest.encodedBytes))
    digest.encode(into: &writer)
    put(.minEdge, minEdge.rawValue)
    put(.maxEdge, maxEdge.rawValue)
    if let seal {
      for (field, bytes) in [
        (Field.statement, seal.statement), (.signature, seal.signature), (.certificate, seal.certificate),
        (.authority, seal.authority),
      ] {
        writer.u8(field.rawValue)
        writer.string(bytes)
      }
    }
    return writer.bytes
  }

  /// Reads a payload that `encoded` gave.
  init(decoding payload: [UInt8]) throws(ByteError) {
    self.init(tier: .current)
    var reader = ByteReader(payload)
    var seen: Set<UInt8> = []
    var seal = SnapshotSeal(statement: [], signature: [], certificate: [], authority: [])
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
      if let expected = field.bytes, expected != length {
        throw .malformed(offset: start, expected: "\(expected) bytes in field \(number)", found: "\(length)")
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
      case .tier:
        let code = try reader.u8()
        guard let tier = Tier(rawValue: code) else {
          throw .malformed(offset: start, expected: "tier 0 or 1", found: "\(code)")
        }
        self.tier = tier
      case .digest: digest = try RecordDigest(from: &reader)
      case .minEdge: minEdge = Version(rawValue: try reader.u64())
      case .maxEdge: maxEdge = Version(rawValue: try reader.u64())
      case .statement: seal.statement = try reader.bytes(length)
      case .signature: seal.signature = try reader.bytes(length)
      case .certificate: seal.certificate = try reader.bytes(length)
      case .authority: seal.authority = try reader.bytes(length)
      }
    }
    if seen.contains(Field.statement.rawValue) { self.seal = seal }
    for number in Field.required where !seen.contains(number) {
      throw .malformed(offset: payload.count, expected: "field \(number)", found: "the end")
    }
  }
}
