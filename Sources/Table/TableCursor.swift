public import Bytes

/// A position among a run's records, moving either way. Allocates nothing per record.
///
/// After an error the cursor stands nowhere.
///
/// SAFETY: `view` and `entries` point into `block`, which is held as long as they are shown, and into `key`, which changes only
/// when the cursor moves.
public final class TableCursor {
  // Exclusivity isn't checked at run time: no access to a member spans a call that could come back to it.

  /// Whether the cursor stands on a record.
  @exclusivity(unchecked) public private(set) var isValid = false
  /// The record on which the cursor stands, valid until it moves.
  @exclusivity(unchecked) public private(set) var view = RecordView.none

  /// Where a walk forward ends, at the latest: of a block that can only hold this key and later ones nothing is read.
  public var upper: Key?
  /// Where a walk backward ends, at the latest: of a block that can only hold keys before this one nothing is read.
  public var lower: Key?

  /// So far before the cursor gets there the bytes of a block are asked for, and so many at a time: the processor does it
  /// itself only within a page.
  private static let lookahead = 1 << 10
  private static let stride = 512

  private var run: TableRun
  /// Nil where what is read enters the cache.
  private let readAhead: ReadAhead?
  /// The run's index, once something was sought.
  private var index: RunIndex?
  /// The block of the record; it holds the bytes that `view` and `entries` borrow.
  private var block: Block?
  @exclusivity(unchecked) private var entries: BlockEntries
  private var blockIndex = 0
  /// The block behind it, if it is in memory and will be wanted.
  private var ahead: Block?
  /// The place in the block from which on more of it is asked for.
  @exclusivity(unchecked) private var prefetchMark = 0
  /// Where the current entry begins and ends in its block.
  @exclusivity(unchecked) private var entryStart = 0
  @exclusivity(unchecked) private var entryEnd = 0
  /// The current key, unless `backward` holds it. Always begins with the block's prefix.
  private let key = GrowingBytes(capacity: 64)
  /// Made by the first step backward: most cursors never take one.
  @exclusivity(unchecked) private var backward: EntryRun?

  init(_ run: TableRun, caching: Bool) {
    self.run = run
    readAhead = caching ? nil : ReadAhead()
    entries = .none
  }

  /// Goes over to another run; stands nowhere then.
  public func reset(to run: TableRun) {
    leave()
    self.run = run
    index = nil
    readAhead?.reset()
  }

  private func blocks() throws(TableError) -> TableIndex {
    if let index { return index.index }
    let loaded = try run.index(caching: readAhead == nil)
    index = loaded
    return loaded.index
  }

  /// Moves to the first record at or after (key, version): the newest record of the key that is not newer than the
  /// version, or else the first of a later key.
  public func seek(_ key: UnsafeRawBufferPointer, _ version: Version) throws(TableError) {
    leave()
    let blocks = try blocks()
    let index = blocks.first(atOrAfter: key, version)
    guard index < blocks.count else { return }
    try enter(blocks, index)
    guard let entry = entries.first(atOrAfter: key, version) else { return try nextBlock() }
    if entry.shared > 0 {
      // The bytes that the entry shares with the one before are also the target's.
      let start = entries.prefix.count
      self.key.append(UnsafeRawBufferPointer(rebasing: key[start..<start + entry.shared]))
    }
    stand(on: entry)
  }

  /// Moves to the first record.
  public func seekToFirst() throws(TableError) {
    leave()
    blockIndex = -1
    try nextBlock()
  }

  /// Moves to the last record.
  public func seekToLast() throws(TableError) {
    leave()
    let blocks = try blocks()
    guard blocks.count > 0 else { return }
    try enter(blocks, blocks.count - 1)
    entryStart = entries.end
    try step()
  }

  /// Moves to the last record before (key, version).
  public func seek(before key: UnsafeRawBufferPointer, _ version: Version) throws(TableError) {
    leave()
    let blocks = try blocks()
    let index = blocks.first(atOrAfter: key, version)
    guard index < blocks.count else { return try seekToLast() }
    try enter(blocks, index)
    entryStart = entries.first(atOrAfter: key, version)?.offset ?? entries.end
    try step()
  }

  /// Moves to the next record.
  public func next() throws(TableError) {
    guard isValid else { return }
    if let backward, backward.isActive {
      key.replace(view.key, from: 0)
      backward.clear()
    }
    if entryEnd < entries.end {
      stand(on: entries.entry(at: entryEnd))
    } else {
      try nextBlock()
    }
  }

  private func nextBlock() throws(TableError) {
    // A block without entries is nothing that a writer makes, but nothing that a reader may stumble over either.
    let blocks = try blocks()
    while blockIndex + 1 < blocks.count {
      if let upper, blockIndex >= 0, blocks.compareSeparator(blockIndex, upper) >= 0 { break }
      try enter(blocks, blockIndex + 1)
      if blockIndex + 1 < blocks.count {
        ahead = run.cached(blocks.handle(blockIndex + 1))
        ahead?.entries.prefetch(at: 0, count: Self.lookahead)
      }
      if entries.end > 0 { return stand(on: entries.entry(at: 0)) }
    }
    leave()
  }

  /// Moves to the record before.
  public func previous() throws(TableError) {
    if isValid { try step() }
  }

  private func step() throws(TableError) {
    let backward = self.backward ?? EntryRun()
    self.backward = backward
    if !backward.isActive || backward.isEmpty {
      while entryStart == 0 {
        let blocks = try blocks()
        guard blockIndex > 0 else { return leave() }
        if let lower, blocks.compareSeparator(blockIndex - 1, lower) < 0 { return leave() }
        try enter(blocks, blockIndex - 1)
        entryStart = entries.end
      }
      backward.fill(entries, from: entries.restartOffset(before: entryStart), to: entryStart)
    }
    let last = backward.removeLast()
    view = last.view
    entryStart = last.start
    entryEnd = last.end
    isValid = true
  }

  private func leave() {
    isValid = false
    view = .none
    entries = .none
    block = nil
    ahead = nil
    backward?.clear()
  }

  private func load(_ handle: BlockHandle) throws(TableError) -> Block {
    guard let readAhead else { return try run.load(handle) }
    return try run.load(handle, through: readAhead)
  }

  /// Makes a block the current one, before its first entry.
  private func enter(_ blocks: TableIndex, _ index: Int) throws(TableError) {
    let ahead = index == blockIndex + 1 ? self.ahead : nil
    leave()
    let loaded = if let ahead { ahead } else { try load(blocks.handle(index)) }
    block = loaded
    entries = loaded.entries
    blockIndex = index
    entryStart = 0
    entryEnd = 0
    prefetchMark = 0
    key.replace(entries.prefix, from: 0)
  }

  /// Makes an entry the current one; `key` holds the prefix and the bytes that the entry shares.
  @inline(__always)
  private func stand(on entry: BlockEntry) {
    key.replaceTail(from: entries.prefix.count &+ entry.shared, with: entry.suffix)
    view = RecordView(key: key.bytes, value: entry.value, version: entry.version, kind: entry.kind, span: entry.span)
    entryStart = entry.offset
    entryEnd = entry.end
    isValid = true
    if entry.end > prefetchMark {
      entries.prefetch(at: entry.end &+ Self.lookahead, count: Self.stride)
      prefetchMark = entry.end &+ Self.stride
    }
  }
}
