public import Bytes
public import Table

extension PartitionStore {
  /// The newest record of a key that is not newer than a version; a tombstone is given as such. Blocks if a block has to
  /// be read from the disk.
  public func get(_ key: Key, at version: Version) throws(StoreError) -> Record? {
    try key.bytes.withRawBytes { (bytes) throws(StoreError) in
      try get(bytes, at: version) { view in
        Record(key: key, version: view.version, kind: view.kind, value: Array(view.value))
      }
    }
  }

  /// The same; the record is lent to `body` instead of being copied.
  public func get<Result>(
    _ key: UnsafeRawBufferPointer, at version: Version, _ body: (RecordView) -> Result
  ) throws(StoreError) -> Result? {
    if let view = memtable.get(key, at: version) { return body(view) }
    if let view = frozen?.memtable.get(key, at: version) { return body(view) }
    return try files.get(key, at: version, body)
  }

  /// All records of a key, the newest first.
  public func history(_ key: Key) throws(StoreError) -> [Record] {
    let merge = MergeCursor(sources(from: key, to: key.successor, isReverse: false), isReverse: false)
    try key.bytes.withRawBytes { (bytes) throws(StoreError) in try merge.seek(bytes, .max) }
    var records: [Record] = []
    while merge.isValid {
      let record = merge.view.record
      guard record.key == key else { break }
      records.append(record)
      try merge.advance()
    }
    return records
  }

  /// A walk over the records alive at a version whose keys are at least `lower` and below `upper`, in key order or
  /// backwards. See `StoreCursor` for how long it is valid.
  public func cursor(
    from lower: Key? = nil, to upper: Key? = nil, at version: Version, reverse: Bool = false
  ) throws(StoreError) -> StoreCursor {
    let merge = MergeCursor(sources(from: lower, to: upper, isReverse: reverse), isReverse: reverse)
    // The newest possible record of a key is the first of its records.
    if let start = reverse ? upper : lower {
      try start.bytes.withRawBytes { (bytes) throws(StoreError) in try merge.seek(bytes, .max) }
    } else {
      try merge.seek(nil, .max)
    }
    return StoreCursor(self, merge, bound: reverse ? lower : upper, at: version, isReverse: reverse)
  }

  private func sources(from lower: Key?, to upper: Key?, isReverse: Bool) -> [RecordSource] {
    var sources: [RecordSource] = []
    for memtable in [memtable, frozen?.memtable] {
      guard let memtable, !memtable.isEmpty else { continue }
      sources.append(MemtableSource(memtable, isReverse: isReverse))
    }
    return sources + files.sources(from: lower, to: upper, isReverse: isReverse, caching: true)
  }

  /// All versions and tombstones that were applied before the last `freeze`, stable while the store goes on. To export
  /// everything, freeze first.
  public func exportCursor() -> ExportCursor {
    ExportCursor(frozen: frozen?.memtable, files: files, state: frozen?.state ?? flushedState)
  }

  /// The tables and bytes of each level, from 0 on.
  public var levels: [(files: Int, bytes: UInt64)] {
    files.levels.indices.map { (files.levels[$0].count, files.bytes(ofLevel: $0)) }
  }

  /// The bytes that indexes and filters of the open tables take in memory.
  public var residentTableBytes: Int { files.all.reduce(0) { $0 + $1.reader.residentBytes } }
}
