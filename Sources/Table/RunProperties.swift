public import Bytes

/// A run of a table: records in order, with an index and a filter of their own. A table of the current tier is one run; one
/// of history has a run for each group of records that lived at about the same time for about as long.
public struct RunProperties: Equatable, Sendable {
  /// The records.
  public var records: UInt64 = 0
  /// The bytes of its data blocks.
  public var dataBytes: UInt64 = 0
  /// The oldest version.
  public var minVersion = Version.max
  /// The newest version.
  public var maxVersion = Version.zero
  /// The least edge: of the current tier the least `since`, of history the least `to`.
  public var minEdge = Version.max
  /// The greatest edge.
  public var maxEdge = Version.zero
  /// Of history, the class of its records' lifetimes (`Lifetime`); 0 of the current tier.
  public var lifetime: UInt8 = 0
  /// The first key.
  public var minKey = Key([])
  /// The last key.
  public var maxKey = Key([])

  /// The properties of a run without records.
  public init() {}

  /// Takes a record in; its key is the caller's to note.
  mutating func note(_ record: RecordView, tier: Tier) {
    records += 1
    let edge = tier == .current ? record.since : record.to
    if record.version < minVersion { minVersion = record.version }
    if record.version > maxVersion { maxVersion = record.version }
    if edge < minEdge { minEdge = edge }
    if edge > maxEdge { maxEdge = edge }
    if tier == .history { lifetime = max(lifetime, UInt8(Lifetime.classOf(span: record.span))) }
  }
}

/// A run in its file's directory.
struct RunEntry: Equatable, Sendable {
  let properties: RunProperties
  let topIndex: BlockHandle
  /// nil where the table was written without filters.
  let filter: BlockHandle?

  /// The fewest bytes of an entry.
  static let leastBytes = 2 * BlockHandle.encodedBytes + 6 * 8 + 1 + 2

  /// Appends the entry: places of top index and filter (zeros for none), six numbers u64, the class of
  /// lifetimes u8, first and last key.
  func encode(into writer: inout ByteWriter) {
    topIndex.encode(into: &writer)
    (filter ?? BlockHandle(offset: 0, length: 0)).encode(into: &writer)
    for number in [
      properties.records, properties.dataBytes, properties.minVersion.rawValue, properties.maxVersion.rawValue,
      properties.minEdge.rawValue, properties.maxEdge.rawValue,
    ] { writer.u64(number) }
    writer.u8(properties.lifetime)
    writer.string(properties.minKey.bytes)
    writer.string(properties.maxKey.bytes)
  }

  /// Reads an entry whose blocks lie within the first `limit` bytes of the file.
  init(from reader: inout ByteReader, limit: UInt64) throws(ByteError) {
    topIndex = try BlockHandle(from: &reader, limit: limit)
    var ahead = reader
    if try ahead.u64() == 0, try ahead.u32() == 0 {
      filter = nil
      reader = ahead
    } else {
      filter = try BlockHandle(from: &reader, limit: limit)
    }
    var run = RunProperties()
    let start = reader.offset
    run.records = try reader.u64()
    run.dataBytes = try reader.u64()
    run.minVersion = Version(rawValue: try reader.u64())
    run.maxVersion = Version(rawValue: try reader.u64())
    run.minEdge = Version(rawValue: try reader.u64())
    run.maxEdge = Version(rawValue: try reader.u64())
    run.lifetime = try reader.u8()
    run.minKey = Key(try reader.string(limit: Limits.keyBytes.rawValue))
    run.maxKey = Key(try reader.string(limit: Limits.keyBytes.rawValue))
    guard run.lifetime < Lifetime.classes, run.records > 0, run.minVersion <= run.maxVersion,
      run.minEdge <= run.maxEdge, run.minKey <= run.maxKey
    else {
      throw .malformed(offset: start, expected: "records, and bounds in order", found: "others")
    }
    properties = run
  }

  init(properties: RunProperties, topIndex: BlockHandle, filter: BlockHandle?) {
    self.properties = properties
    self.topIndex = topIndex
    self.filter = filter
  }
}

/// The payload of a directory block: the number of runs u32, then for each its entry.
enum TableDirectory {
  static func encoded(_ runs: [RunEntry]) -> [UInt8] {
    var writer = ByteWriter(capacity: 4 + runs.count * 2 * RunEntry.leastBytes)
    writer.u32(UInt32(runs.count))
    for run in runs { run.encode(into: &writer) }
    return writer.bytes
  }

  /// Reads a directory that itself begins at `limit`, behind all blocks that it names.
  static func decode(_ payload: [UInt8], limit: UInt64) throws(ByteError) -> [RunEntry] {
    var reader = ByteReader(payload)
    let count = Int(try reader.u32())
    guard count <= reader.remaining / RunEntry.leastBytes else {
      throw .malformed(offset: 0, expected: "as many runs as there is room for", found: "\(count)")
    }
    var runs: [RunEntry] = []
    runs.reserveCapacity(count)
    for _ in 0..<count { runs.append(try RunEntry(from: &reader, limit: limit)) }
    try reader.finish()
    return runs
  }
}
