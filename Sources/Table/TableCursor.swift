public import Bytes

/// A position among a table's records, moving either way. Allocates nothing per record.
///
/// After an error the cursor stands nowhere.
public final class TableCursor {
  /// Whether the cursor stands on a record.
  public private(set) var isValid = false
  /// The record on which the cursor stands, valid until it moves.
  public private(set) var view = RecordView.none

  private let table: TableReader
  private let caching: Bool
  /// The block of the record, and of the bytes that `view` lends.
  private var block: Block?
  private var blockIndex = 0
  /// Where the current entry begins and ends in its block.
  private var entryStart = 0
  private var entryEnd = 0
  /// The current key, unless `run` holds it. Always begins with the block's prefix.
  private let key = GrowingBytes(capacity: 64)
  private let run = EntryRun()

  init(_ table: TableReader, caching: Bool) {
    self.table = table
    self.caching = caching
  }

  /// Moves to the first record at or after (key, version): the newest record of the key that is not newer than the
  /// version, or else the first of a later key.
  public func seek(_ key: UnsafeRawBufferPointer, _ version: Version) throws(TableError) {
    leave()
    let index = table.index.first(atOrAfter: key, version)
    guard index < table.index.count else { return }
    let entries = try enter(index)
    guard let entry = entries.first(atOrAfter: key, version) else {
      entryEnd = entries.end
      return try next(in: entries)
    }
    // The bytes that the entry shares with the one before are also the target's.
    self.key.append(UnsafeRawBufferPointer(rebasing: key[entries.prefix.count...].prefix(entry.shared)))
    stand(on: entry, in: entries)
  }

  /// Moves to the first record.
  public func seekToFirst() throws(TableError) {
    leave()
    guard table.index.count > 0 else { return }
    try next(in: try enter(0))
  }

  /// Moves to the last record.
  public func seekToLast() throws(TableError) {
    leave()
    guard table.index.count > 0 else { return }
    entryStart = try enter(table.index.count - 1).end
    try previous()
  }

  /// Moves to the last record before (key, version).
  public func seek(before key: UnsafeRawBufferPointer, _ version: Version) throws(TableError) {
    try seek(key, version)
    if isValid { try previous() } else { try seekToLast() }
  }

  /// Moves to the next record.
  public func next() throws(TableError) {
    guard let entries = block?.entries else { return }
    if run.isActive {
      key.replace(view.key, from: 0)
      run.clear()
    }
    try next(in: entries)
  }

  @inline(__always)
  private func next(in entries: BlockEntries) throws(TableError) {
    if entryEnd < entries.end {
      stand(on: entries.entry(at: entryEnd), in: entries)
    } else {
      try nextBlock()
    }
  }

  private func nextBlock() throws(TableError) {
    // A block without entries is nothing that a writer makes, but nothing that a reader may stumble over either.
    while blockIndex + 1 < table.index.count {
      let entries = try enter(blockIndex + 1)
      if entries.end > 0 { return stand(on: entries.entry(at: 0), in: entries) }
    }
    leave()
  }

  /// Moves to the record before.
  public func previous() throws(TableError) {
    guard var entries = block?.entries else { return }
    if !run.isActive || run.isEmpty {
      while entryStart == 0 {
        guard blockIndex > 0 else { return leave() }
        entries = try enter(blockIndex - 1)
        entryStart = entries.end
      }
      run.fill(entries, from: entries.restartOffset(before: entryStart), to: entryStart)
    }
    let last = run.removeLast()
    view = last.view
    entryStart = last.start
    entryEnd = last.end
    isValid = true
  }

  private func leave() {
    isValid = false
    view = .none
    block = nil
    run.clear()
  }

  /// Makes a block the current one, before its first entry.
  private func enter(_ index: Int) throws(TableError) -> BlockEntries {
    leave()
    let loaded = try table.load(index, caching: caching)
    block = loaded
    blockIndex = index
    entryStart = 0
    entryEnd = 0
    key.replace(loaded.entries.prefix, from: 0)
    return loaded.entries
  }

  /// Makes an entry the current one; `key` holds the prefix and the bytes that the entry shares.
  @inline(__always)
  private func stand(on entry: BlockEntry, in entries: BlockEntries) {
    key.replaceTail(from: entries.prefix.count &+ entry.shared, with: entry.suffix)
    view = RecordView(key: key.bytes, value: entry.value, version: entry.version, kind: entry.kind)
    entryStart = entry.offset
    entryEnd = entry.end
    isValid = true
  }
}
