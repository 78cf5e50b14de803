public import Bytes
import Synchronization
public import Table

/// All records of a store, every version and tombstone, in order, as they were at a moment: what a replica's snapshot
/// is made of. Reads on any thread while the store goes on; its files stay until it is released.
public final class ExportCursor: Sendable {
  /// The state that belongs to these records.
  public let state: StoreState
  private let walk: Mutex<Walk>

  private struct Walk {
    let merge: MergeCursor
    /// Whether the first record was sought.
    var hasBegun = false
    /// Whether the record on which the merge stands was given out.
    var isShown = false
  }

  init(frozen: Memtable?, files: FileSet, state: StoreState) {
    self.state = state
    var sources = files.sources(isReverse: false, caching: false)
    if let frozen { sources.insert(MemtableSource(frozen, isReverse: false), at: 0) }
    walk = Mutex(Walk(merge: MergeCursor(sources, isReverse: false)))
  }

  /// Lends the next record to `visit`; false after the last.
  public func next(_ visit: (RecordView) -> Void) throws(StoreError) -> Bool {
    try walk.withLock { (walk) throws(StoreError) in
      if !walk.hasBegun {
        try walk.merge.seek(nil, .max)
        walk.hasBegun = true
      } else if walk.isShown {
        walk.isShown = false
        try walk.merge.advance()
      }
      guard walk.merge.isValid else { return false }
      visit(walk.merge.view)
      walk.isShown = true
      return true
    }
  }

  /// The next record, or nil after the last.
  public func next() throws(StoreError) -> Record? {
    var record: Record?
    _ = try next { record = $0.record }
    return record
  }

  /// Moves such that `next` gives the first record at or after (key, version): to go on with an export that was
  /// interrupted.
  public func seek(_ key: Key, _ version: Version) throws(StoreError) {
    try walk.withLock { (walk) throws(StoreError) in
      walk.hasBegun = true
      walk.isShown = false
      try key.bytes.withRawBytes { (bytes) throws(StoreError) in try walk.merge.seek(bytes, version) }
    }
  }
}
