public import Bytes
public import Environment

/// A table, open for reading. Index, filter and properties are in memory; data blocks come through the cache.
///
/// May be used from any thread: nothing in it changes, and reads of the file carry their offset.
public final class TableReader: Sendable {
  /// What the table says about itself.
  public let properties: TableProperties
  /// The size of the file.
  public let fileBytes: UInt64
  let index: TableIndex
  private let file: any DiskFile
  private let filter: TableFilter?
  private let cache: BlockCache
  private let id = BlockCache.nextTableID()

  /// Opens a table and checks its footer, index, filter and properties.
  public init(disk: any Disk, path: String, cache: BlockCache) throws(TableError) {
    self.cache = cache
    let footer: TableFooter
    do throws(DiskError) {
      file = try disk.open(path, .read)
      fileBytes = try file.size()
    } catch {
      throw .io(error)
    }
    footer = try Self.readFooter(file, fileBytes: fileBytes)
    index = try Self.readIndex(footer, of: file)
    if let handle = footer.filter {
      let block = try Block(handle, type: .filter, of: file)
      guard let filter = TableFilter(block) else {
        throw Self.corrupt(file, handle.offset, "a filter of whole lines", "\(block.payload.count) bytes")
      }
      self.filter = filter
    } else {
      filter = nil
    }
    let block = try Block(footer.properties, type: .properties, of: file)
    do throws(ByteError) {
      properties = try TableProperties(decoding: Array(block.payload))
    } catch {
      throw Self.corrupt(file, footer.properties.offset + UInt64(TableFormat.blockHeaderBytes), error)
    }
  }

  /// Where the table lies.
  public var path: String { file.path }

  /// The bytes of index and filter, which stay in memory as long as the table is open.
  public var residentBytes: Int { index.cost + (filter?.cost ?? 0) }

  /// Whether the key with this hash (`KeyHash`) may be in the table; false is certain.
  public func mayContain(hash: UInt64) -> Bool {
    filter?.mayContain(hash) ?? true
  }

  /// The newest record of a key that is not newer than a version; a tombstone counts as one.
  public func get(_ key: Key, at version: Version) throws(TableError) -> Record? {
    try key.bytes.withRawBytes { (bytes) throws(TableError) in
      try get(bytes, hash: KeyHash.hash(bytes), at: version) { $0.record }
    }
  }

  /// The same, with the key's hash at hand; the record is lent to `body`.
  public func get<Result>(
    _ key: UnsafeRawBufferPointer, hash: UInt64, at version: Version, _ body: (RecordView) -> Result
  ) throws(TableError) -> Result? {
    guard mayContain(hash: hash) else { return nil }
    let block = index.first(atOrAfter: key, version)
    guard block < index.count else { return nil }
    // All records before the target's place are in earlier blocks, and a separator that isn't itself a record is a
    // key that no record has: so what this block doesn't hold is nowhere.
    let loaded = try load(block, caching: true)
    return withExtendedLifetime(loaded) {
      guard let entry = loaded.entries.newest(key, version) else { return nil }
      return body(RecordView(key: key, value: entry.value, version: entry.version, kind: entry.kind))
    }
  }

  /// A cursor that stands nowhere yet. Without `caching` the blocks that it reads don't enter the cache.
  public func cursor(caching: Bool = true) -> TableCursor {
    TableCursor(self, caching: caching)
  }

  /// The data block with an index below `index.count`.
  func load(_ index: Int, caching: Bool) throws(TableError) -> Block {
    let handle = self.index.handle(index)
    if let block = cache.block(table: id, offset: handle.offset) { return block }
    let block = try Block(handle, type: .data, of: file)
    if caching { cache.insert(block, table: id, offset: handle.offset) }
    return block
  }
}

/// A filter that tables share among threads.
///
/// SAFETY: nothing is written to a filter after `init`.
private final class TableFilter: @unchecked Sendable {
  private let bits: BloomFilter

  init?(_ block: Block) {
    guard let bits = BloomFilter(decoding: block.payload) else { return nil }
    self.bits = bits
  }

  var cost: Int { bits.byteCount }

  func mayContain(_ hash: UInt64) -> Bool { bits.mayContain(hash) }
}
