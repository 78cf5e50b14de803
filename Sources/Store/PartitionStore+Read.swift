public import Bytes
public import Table

// SAFETY: keys and records are lent for the duration of a call; a memtable's records live as long as the memtable.
extension PartitionStore {
  /// The record of a key that is alive at a version, nil if there is none; a tombstone may be given as such. Refuses a
  /// version that is not retained (`notRetained`). Blocks if a block has to be read from the disk.
  public func get(_ key: Key, at version: Version) throws(StoreError) -> Record? {
    var record: Record?
    _ = try key.bytes.withRawBytes { (bytes) throws(StoreError) in
      try get(bytes, at: version) { view in
        record = Record(key: key, version: view.version, kind: view.kind, value: Array(view.value))
      }
    }
    return record
  }

  /// The same; the record is lent to `body` instead of being copied. False if there is none.
  public func get(
    _ key: UnsafeRawBufferPointer, at version: Version, _ body: (RecordView) -> Void
  ) throws(StoreError) -> Bool {
    try check(version)
    if let view = memtable.get(key, at: version) ?? frozen?.memtable.get(key, at: version) {
      body(view)
      return true
    }
    return try files.get(key, at: version, body)
  }

  private func check(_ version: Version) throws(StoreError) {
    guard version >= retention.floor || retention.holds(version) else {
      throw .notRetained(version: version, floor: retention.floor)
    }
  }

  /// All writes of a key that are still known, the newest first.
  public func history(_ key: Key) throws(StoreError) -> [Record] {
    let range = KeyRange(lower: key, upper: key.successor)
    let sources =
      memtableSources(isReverse: false) + files.currentSources(in: range, isReverse: false, caching: true)
      + files.historySources(in: range)
    let stream = try VersionStream(sources, from: key)
    var records: [Record] = []
    while let view = try stream.peek(), key.bytes.withRawBytes({ compareBytes(view.key, $0) }) == 0 {
      records.append(view.record)
      stream.skip()
    }
    return records
  }

  /// A walk over the records alive at a version, which must be retained, whose keys are at least `lower` and below `upper`, in key order or
  /// backwards. See `StoreCursor` for how long it is valid.
  public func cursor(
    from lower: Key? = nil, to upper: Key? = nil, at version: Version, reverse: Bool = false
  ) throws(StoreError) -> StoreCursor {
    try check(version)
    let sources =
      memtableSources(isReverse: reverse)
      + (try files.sources(in: KeyRange(lower: lower, upper: upper), at: version, isReverse: reverse))
    let merge = MergeCursor(sources, isReverse: reverse)
    // The newest possible record of a key is the first of its records.
    if let start = reverse ? upper : lower {
      try start.bytes.withRawBytes { (bytes) throws(StoreError) in try merge.seek(bytes, .max) }
    } else {
      try merge.seek(nil, .max)
    }
    return StoreCursor(self, merge, bound: reverse ? lower : upper, at: version, isReverse: reverse)
  }

  /// A walk over what changed in a range of keys, or was alive, between two versions, both of which must be readable.
  /// See `StoreCursor` for how long it is valid.
  public func changes(_ query: ChangeQuery) throws(StoreError) -> ChangeCursor {
    try check(query.since)
    try check(query.at)
    let range = KeyRange(lower: query.lower, upper: query.upper)
    let files =
      query.scope == .lastChanges
      ? files.sources(in: range, after: query.since)
      : files.currentSources(in: range, isReverse: false, caching: false) + files.historySources(in: range)
    return ChangeCursor(
      self, query, try VersionStream(memtableSources(isReverse: false) + files, from: query.lower))
  }

  func memtableSources(isReverse: Bool) -> [RecordSource] {
    [memtable, frozen?.memtable].compactMap { memtable in
      memtable.flatMap { $0.isEmpty ? nil : MemtableSource($0, isReverse: isReverse) }
    }
  }

  /// All versions and tombstones that were applied before the last `freeze`, stable while the store goes on. To export
  /// everything, freeze first.
  public func exportCursor() -> ExportCursor {
    ExportCursor(frozen: frozen?.memtable, files: files, state: frozen?.state ?? flushedState, keyFilter: keyFilter)
  }

  /// The tables and bytes of each level of history, from 0 on; the last is that of what isn't merged again.
  public var historyLevels: [(files: Int, bytes: UInt64)] {
    files.history.map { ($0.count, $0.reduce(0) { $0 + $1.entry.fileBytes }) }
  }

  /// The paths of tables that could not be read.
  public var damagedPaths: [String] {
    files.all.filter { damaged.contains($0.entry.number) }.map(\.reader.path)
  }

  /// The bytes of all tables, and the records of the current tier.
  public var size: (bytes: UInt64, records: UInt64) {
    let current = files.levels.joined()
    let bytes = files.allHistory.reduce(current.reduce(0) { $0 + $1.entry.fileBytes }) { $0 + $1.entry.fileBytes }
    return (bytes, current.reduce(0) { $0 + $1.entry.records })
  }

  /// The tables and bytes of each level of the current tier, from 0 on.
  public var levels: [(files: Int, bytes: UInt64)] {
    files.levels.indices.map { (files.levels[$0].count, files.bytes(ofLevel: $0)) }
  }

  /// The bytes that indexes and filters of the open tables take in memory.
  public var residentTableBytes: Int { files.all.reduce(0) { $0 + $1.reader.residentBytes } }
}
