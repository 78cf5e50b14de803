public import Bytes
import Environment

/// The file of an open table, and what all of its runs share.
final class TableStorage: Sendable {
  let file: any DiskFile
  let cache: BlockCache
  let tier: Tier
  let id = BlockCache.nextTableID()

  init(file: any DiskFile, cache: BlockCache, tier: Tier) {
    self.file = file
    self.cache = cache
    self.tier = tier
  }
}

/// A run of an open table. Index and filter of a current table's run stay in memory, those of history's come and go
/// with the cache.
///
/// May be used from any thread: nothing in it changes.
public final class TableRun: Sendable {
  /// What the run says about itself.
  public let properties: RunProperties
  private let entry: RunEntry
  let storage: TableStorage
  private let resident: RunIndex?

  init(_ entry: RunEntry, of storage: TableStorage) throws(TableError) {
    self.entry = entry
    self.storage = storage
    properties = entry.properties
    resident = storage.tier == .current ? try RunIndex(entry, of: storage.file) : nil
  }

  /// The bytes that the run takes in memory as long as its table is open, about.
  var residentBytes: Int { resident?.cost ?? 256 }

  @inline(__always)
  func index(caching: Bool) throws(TableError) -> RunIndex {
    if let resident { return resident }
    return try loadIndex(caching: caching)
  }

  private func loadIndex(caching: Bool) throws(TableError) -> RunIndex {
    let place = entry.topIndex.offset
    // SAFETY: what is kept at the place of a top index is a run's index, since only this method puts something there.
    if let found = storage.cache.find(table: storage.id, offset: place) {
      return unsafeDowncast(found, to: RunIndex.self)
    }
    let index = try RunIndex(entry, of: storage.file)
    if caching { storage.cache.insert(index, table: storage.id, offset: place) }
    return index
  }

  /// Brings the index and the data blocks into the cache as long as it has room.
  func fillCache() throws(TableError) {
    let index: RunIndex
    if let resident {
      index = resident
    } else {
      index = try RunIndex(entry, of: storage.file)
      storage.cache.admit(index, table: storage.id, offset: entry.topIndex.offset)
    }
    for number in 0..<index.index.count {
      let handle = index.index.handle(number)
      guard storage.cache.room >= Int(handle.length) else { return }
      let block = try Block(handle, type: .data, tier: storage.tier, of: storage.file)
      storage.cache.admit(block, table: storage.id, offset: handle.offset)
    }
  }

  /// Lends the newest record of a key that is not newer than a version to `body`; false if there is none. The caller has
  /// the key's `KeyHash`.
  public func get(
    _ key: UnsafeRawBufferPointer, hash: UInt64, at version: Version, _ body: (RecordView) -> Void
  ) throws(TableError) -> Bool {
    let index = try index(caching: true)
    guard index.mayContain(hash) else { return false }
    return try get(key, at: version, through: index, body)
  }

  /// The same for a key that the filter in the run's index lets pass.
  @inline(__always)
  func get(
    _ key: UnsafeRawBufferPointer, at version: Version, through index: RunIndex, _ body: (RecordView) -> Void
  ) throws(TableError) -> Bool {
    let block = index.index.first(atOrAfter: key, version)
    guard block < index.index.count else { return false }
    // All records before the target's place are in earlier blocks, and a separator that isn't itself a record is a
    // key that no record has: so what this block doesn't hold is nowhere.
    let loaded = try load(index.index.handle(block))
    return withExtendedLifetime(loaded) {
      guard let entry = loaded.entries.newest(key, version) else { return false }
      body(RecordView(key: key, value: entry.value, version: entry.version, kind: entry.kind, span: entry.span))
      return true
    }
  }

  /// Whether a key with this hash may be in the run; false is certain.
  public func mayContain(hash: UInt64) throws(TableError) -> Bool {
    try index(caching: true).mayContain(hash)
  }

  /// A cursor that stands nowhere yet. Without `caching` what it reads doesn't enter the cache.
  public func cursor(caching: Bool = true) -> TableCursor {
    TableCursor(self, caching: caching)
  }

  /// A data block of the run if the cache holds it.
  @inline(__always)
  func cached(_ handle: BlockHandle) -> Block? {
    // SAFETY: at a data block's place `load` alone keeps something, and that is the block.
    storage.cache.find(table: storage.id, offset: handle.offset).map { unsafeDowncast($0, to: Block.self) }
  }

  /// A data block of the run.
  @inline(__always)
  func load(_ handle: BlockHandle) throws(TableError) -> Block {
    if let found = cached(handle) { return found }
    let block = try Block(handle, type: .data, tier: storage.tier, of: storage.file)
    storage.cache.insert(block, table: storage.id, offset: handle.offset)
    return block
  }

  /// A data block of the run that does not enter the cache.
  func load(_ handle: BlockHandle, through readAhead: ReadAhead) throws(TableError) -> Block {
    if let found = cached(handle) { return found }
    return try Block(handle, type: .data, tier: storage.tier, of: storage.file, through: readAhead)
  }
}
