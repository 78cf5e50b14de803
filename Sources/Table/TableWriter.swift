public import Bytes
public import Environment

/// Writes a table: records in order, then `finish`; in history run by run, `endRun` between them. Blocking; for one
/// thread at a time.
///
/// A writer that isn't finished leaves a file that no reader takes for a table; `abandon` removes it.
///
/// SAFETY: records are lent for the duration of a call and copied; lengths of shared prefixes are at most that of the shorter
/// key.
public final class TableWriter {
  /// Where the table is written.
  public let path: String
  private let disk: any Disk
  private let options: TableOptions
  private let sink: TableSink
  private let data: BlockBuilder
  private let index: TableIndexBuilder
  private var hashes: [UInt64] = []
  private var properties: TableProperties
  private var runs: [RunEntry] = []
  private var run = RunProperties()
  private let lastKey = GrowingBytes(capacity: 64)
  private var lastVersion = Version.zero

  /// Creates the file. `observer` sees all of its bytes in order, before they are written.
  ///
  /// Where `isResumed`, it opens one that an interrupted writer left: to be given the records that are in it once more,
  /// block by block in step with `TableRemnant`, and then to be `cut`. What the file holds is not written again.
  public init(
    disk: any Disk, path: String, options: TableOptions, tier: Tier = .current, isResumed: Bool = false,
    observer: ((UnsafeRawBufferPointer) -> Void)? = nil
  ) throws(TableError) {
    self.disk = disk
    self.path = path
    self.options = options
    properties = TableProperties(tier: tier)
    sink = try TableSink(disk: disk, path: path, isResumed: isResumed, observer: observer)
    data = BlockBuilder(blockBytes: options.blockBytes, restartInterval: options.restartInterval)
    index = TableIndexBuilder(options: options)
  }

  /// The bytes of the file if it were finished now, without index and filter.
  public var fileBytes: UInt64 { sink.offset + UInt64(data.isEmpty ? 0 : data.payloadBytes) }

  /// The bytes of the open run's data.
  public var runBytes: UInt64 { run.dataBytes + UInt64(data.isEmpty ? 0 : data.payloadBytes) }

  /// Where the block will lie that the last record added is in.
  public var blockOffset: UInt64 { sink.offset }

  /// Cuts off what a resumed file holds behind the last block that was ended.
  public func cut() throws(TableError) { try sink.cut() }

  /// Whether the last record added has this key.
  public func endsWith(_ key: UnsafeRawBufferPointer) -> Bool {
    run.records > 0 && compareBytes(lastKey.bytes, key) == 0
  }

  /// Appends a record, which must come after the one before it: `unordered` if it doesn't.
  public func add(_ record: Record) throws(TableError) {
    try record.withView { (view) throws(TableError) in try add(view) }
  }

  /// Appends a record, which is copied.
  public func add(_ record: RecordView) throws(TableError) {
    precondition(record.key.count <= Limits.keyBytes.rawValue && record.value.count <= Limits.valueBytes.rawValue)
    switch properties.tier {
    case .current: precondition(record.span <= record.version.rawValue)
    case .history: precondition(record.span > 0 && record.span <= .max - record.version.rawValue)
    }
    let key = record.key
    let last = lastKey.bytes
    let shared = commonPrefix(last, key)
    var isNewKey = true
    if run.records == 0 {
      run.minKey = Key(Array(key))
    } else if shared == key.count {
      // The same key, whose older version must follow, or one that should have come earlier.
      guard properties.tier == .history, shared == last.count, record.version < lastVersion else {
        throw .unordered(path: path)
      }
      isNewKey = false
    } else if shared < last.count, last[shared] > key[shared] {
      throw .unordered(path: path)
    }
    let bound = BlockBuilder.bound(key: key.count, value: record.value.count)
    if !data.isEmpty, data.payloadBytes + bound > options.blockBytes {
      try finishDataBlock(before: key, shared: shared)
    }
    data.add(record, shared: shared)
    note(record, isNewKey: isNewKey)
    lastKey.replace(key, from: isNewKey ? shared : key.count)
    lastVersion = record.version
  }

  private func commonPrefix(_ left: UnsafeRawBufferPointer, _ right: UnsafeRawBufferPointer) -> Int {
    guard run.records > 0, let l = left.baseAddress, let r = right.baseAddress else { return 0 }
    return RecordOrder.commonPrefix(l, r, limit: min(left.count, right.count))
  }

  private func note(_ record: RecordView, isNewKey: Bool) {
    run.note(record, tier: properties.tier)
    properties.digest.add(record)
    if record.kind == .tombstone { properties.tombstones += 1 }
    properties.dataBytes += UInt64(record.key.count + record.value.count)
    guard isNewKey else { return }
    properties.keys += 1
    if options.bloomBitsPerKey > 0 { hashes.append(KeyHash.hash(record.key)) }
  }

  /// Ends a data block. Its separator is the shortest key between its last record and `next`, the key that begins the
  /// block after it and has `shared` leading bytes in common with the last.
  private func finishDataBlock(before next: UnsafeRawBufferPointer?, shared: Int) throws(TableError) {
    let handle = try sink.write(data, type: .data)
    properties.dataBlocks += 1
    run.dataBytes += UInt64(handle.length)
    if let next, next.count > shared + 1, shared < next.count {
      // One byte more than they share: above the last key and below the next. No record has it and version zero.
      index.add(key: UnsafeRawBufferPointer(rebasing: next[...shared]), version: .zero, handle: handle)
    } else {
      index.add(key: lastKey.bytes, version: lastVersion, handle: handle)
    }
  }

  /// Ends a run, if it has records; the next record begins another.
  public func endRun() throws(TableError) {
    guard run.records > 0 else { return }
    if !data.isEmpty { try finishDataBlock(before: nil, shared: 0) }
    run.maxKey = Key(Array(lastKey.bytes))
    let topIndex = try index.write(to: sink)
    var filter: BlockHandle?
    if !hashes.isEmpty {
      let bits = BloomFilter(hashes: hashes, bitsPerKey: options.bloomBitsPerKey)
      filter = try bits.withBytes { (bytes) throws(TableError) in try sink.write(bytes, type: .filter) }
    }
    properties.note(run)
    runs.append(RunEntry(properties: run, topIndex: topIndex, filter: filter))
    run = RunProperties()
    hashes.removeAll(keepingCapacity: true)
    lastKey.removeAll()
  }

  /// Writes what is left and makes the file durable. Its directory is the caller's to sync. With a seal the table is a
  /// snapshot's file.
  public func finish(seal: SnapshotSeal? = nil) throws(TableError) -> (
    properties: TableProperties, fileBytes: UInt64
  ) {
    try endRun()
    properties.seal = seal
    precondition(properties.tier == .history || runs.count <= 1, "a table of the current tier is one run")
    let directory = try TableDirectory.encoded(runs).withRawBytes { (bytes) throws(TableError) in
      try sink.write(bytes, type: .directory)
    }
    let about = try properties.encoded().withRawBytes { (bytes) throws(TableError) in
      try sink.write(bytes, type: .properties)
    }
    let fileBytes = sink.offset + UInt64(TableFormat.footerBytes)
    try sink.finish(TableFooter(directory: directory, properties: about, fileBytes: fileBytes).encoded())
    return (properties, fileBytes)
  }

  /// Removes the file, which will not be finished. Errors don't matter: a file that no manifest names is removed when
  /// its directory is opened next.
  public func abandon() {
    try? disk.remove(path)
  }
}
