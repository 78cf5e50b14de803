/// What a snapshot's file says of itself, and what the cluster signs (kv-snapshot(5)).
public struct SnapshotStatement: Equatable, Sendable {
  /// The bytes of a root.
  public static let rootBytes = 32
  private static let format: UInt8 = 1
  /// Before what is signed, so that no other message that the key signs can be taken for a statement.
  private static let label = Array("kv snapshot statement\0".utf8)
  private static let clusterBytes = 256

  /// The cluster whose records they are.
  public var cluster: String
  /// The version at which they were read: the newest that the file shows.
  public var version: Version
  /// The oldest version that the file shows: its own, or with history an older one.
  public var oldest: Version
  /// Only what changed after this version is in the file; nil: everything.
  public var since: Version?
  /// Only keys that begin with this are in the file.
  public var prefix: [UInt8]
  /// When the file was made, in milliseconds since 1970.
  public var createdMilliseconds: UInt64
  /// The number of records.
  public var records: UInt64
  /// The bytes of their keys and values.
  public var dataBytes: UInt64
  /// The RFC 6962 root over the records in the order of the file.
  public var root: [UInt8]

  /// A statement of these parts; records, bytes and root are still to be counted.
  public init(
    cluster: String, version: Version, oldest: Version, since: Version?, prefix: [UInt8], createdMilliseconds: UInt64
  ) {
    self.cluster = cluster
    self.version = version
    self.oldest = oldest
    self.since = since
    self.prefix = prefix
    self.createdMilliseconds = createdMilliseconds
    records = 0
    dataBytes = 0
    root = [UInt8](repeating: 0, count: Self.rootBytes)
  }

  /// Whether the file shows more than one version.
  public var hasHistory: Bool { oldest < version }

  /// Whether nothing can be in the file: it is of what changed after its own version.
  public var isEmptyChange: Bool { since == version }

  /// The encoded statement: format u8 = 1, cluster, version, oldest, since (0: none), prefix, time, records, bytes,
  /// root. Strings stand behind a varint of their length, integers are u64.
  public func encoded() -> [UInt8] {
    var writer = ByteWriter(capacity: 160)
    writer.u8(Self.format)
    writer.string(Array(cluster.utf8))
    writer.u64(version.rawValue)
    writer.u64(oldest.rawValue)
    writer.u64(since?.rawValue ?? 0)
    writer.string(prefix)
    writer.u64(createdMilliseconds)
    writer.u64(records)
    writer.u64(dataBytes)
    writer.raw(root)
    return writer.bytes
  }

  /// The bytes over which the signature goes.
  public var signedBytes: [UInt8] { Self.label + encoded() }

  /// Reads a statement that `encoded` gave.
  public init(decoding bytes: [UInt8]) throws(ByteError) {
    var reader = ByteReader(bytes)
    let format = try reader.u8()
    guard format == Self.format else {
      throw .malformed(offset: 0, expected: "a statement of format \(Self.format)", found: "\(format)")
    }
    let name = try reader.string(limit: Self.clusterBytes)
    guard let cluster = String(validating: name, as: UTF8.self) else {
      throw .malformed(offset: 1, expected: "a cluster's name", found: Escaping.text(name))
    }
    self.cluster = cluster
    let versionOffset = reader.offset
    version = Version(rawValue: try reader.u64())
    oldest = Version(rawValue: try reader.u64())
    let since = Version(rawValue: try reader.u64())
    self.since = since == .zero ? nil : since
    guard version > .zero, oldest <= version, since <= version else {
      throw .malformed(
        offset: versionOffset, expected: "versions in order", found: "\(version), \(oldest), \(since)")
    }
    prefix = try reader.string(limit: Limits.keyBytes.rawValue)
    createdMilliseconds = try reader.u64()
    records = try reader.u64()
    dataBytes = try reader.u64()
    root = try reader.bytes(Self.rootBytes)
    try reader.finish()
  }
}
