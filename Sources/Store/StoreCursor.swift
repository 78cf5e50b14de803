public import Bytes
public import Table

/// The live records of a store at a version, one for each key, in key order or backwards.
///
/// Valid until the store's next `apply`, `freeze` or `install`: to use one afterwards is a bug, and stops the process.
public final class StoreCursor {
  private let store: PartitionStore
  private let generation: UInt64
  private let merge: MergeCursor
  private let bound: Key?
  private let version: Version
  private let isReverse: Bool
  /// The key seen last, its word, and whether there is one.
  private let lastKey = GrowingBytes(capacity: 64)
  @exclusivity(unchecked) private var lastWord: UInt64 = 0
  @exclusivity(unchecked) private var hasLastKey = false
  /// Forward: whether the merge still stands on the record given out last.
  @exclusivity(unchecked) private var mustAdvance = false
  /// Backward: the value found for `lastKey`.
  private let lastValue = GrowingBytes(capacity: 64)

  /// `bound` ends the walk: forward before it, backward after it.
  init(_ store: PartitionStore, _ merge: MergeCursor, bound: Key?, at version: Version, isReverse: Bool) {
    self.store = store
    self.merge = merge
    self.bound = bound
    self.version = version
    self.isReverse = isReverse
    generation = store.generation
  }

  /// The next record, or nil after the last.
  public func next() throws(StoreError) -> Record? {
    var record: Record?
    _ = try next { record = $0.record }
    return record
  }

  /// Lends the next record to `visit`, for the duration of the call; false after the last.
  public func next(_ visit: (RecordView) -> Void) throws(StoreError) -> Bool {
    precondition(generation == store.generation, "a cursor was used after its store had changed")
    guard let view = isReverse ? try findBackward() : try findForward() else { return false }
    visit(view)
    return true
  }

  private func findForward() throws(StoreError) -> RecordView? {
    if mustAdvance {
      mustAdvance = false
      try merge.advance()
    }
    while merge.isValid {
      let view = merge.view
      // Older versions of a key that was decided already, or versions that are too new.
      let word = merge.word
      let isDecided = hasLastKey && word == lastWord && compareBytes(view.key, lastKey.bytes) == 0
      if !isDecided && view.version <= version {
        if let bound, bound.bytes.withRawBytes({ compareBytes(view.key, $0) >= 0 }) { return nil }
        lastKey.replace(view.key, from: 0)
        lastWord = word
        hasLastKey = true
        if view.kind == .value {
          mustAdvance = true
          return view
        }
      }
      try merge.advance()
    }
    return nil
  }

  /// Backward the versions of a key come oldest first: the last one that isn't too new counts, which is known only when
  /// another key comes. So it is copied.
  private func findBackward() throws(StoreError) -> RecordView? {
    var found: (version: Version, kind: Record.Kind)?
    while merge.isValid {
      let view = merge.view
      if found == nil || compareBytes(view.key, lastKey.bytes) != 0 {
        if let found, found.kind == .value { return lastView(found.version) }
        found = nil
        if let bound, bound.bytes.withRawBytes({ compareBytes(view.key, $0) < 0 }) { return nil }
      }
      if view.version <= version {
        if found == nil { lastKey.replace(view.key, from: 0) }
        lastValue.replace(view.value, from: 0)
        found = (view.version, view.kind)
      }
      try merge.advance()
    }
    guard let found, found.kind == .value else { return nil }
    return lastView(found.version)
  }

  private func lastView(_ version: Version) -> RecordView {
    RecordView(key: lastKey.bytes, value: lastValue.bytes, version: version, kind: .value)
  }
}
