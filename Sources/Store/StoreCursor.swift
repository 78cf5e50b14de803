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
  private let keyFilter: KeyFilter?
  /// The key seen last, its word, and whether there is one.
  private let lastKey = GrowingBytes(capacity: 64)
  @exclusivity(unchecked) private var lastWord: UInt64 = 0
  @exclusivity(unchecked) private var hasLastKey = false
  /// What is known of it: nothing; that only history has its value; all.
  @exclusivity(unchecked) private var verdict = Verdict.open
  private enum Verdict { case open, history, decided }
  /// Whether each key comes once.
  private let isPlain: Bool
  /// Forward: whether the bound was reached.
  @exclusivity(unchecked) private var isDone = false
  /// Forward: whether the merge still stands on the record given out last.
  @exclusivity(unchecked) private var mustAdvance = false
  /// Backward: the value found for `lastKey`.
  private lazy var lastValue = GrowingBytes(capacity: 64)

  /// `bound` ends the walk: forward before it, backward after it.
  init(_ store: PartitionStore, _ merge: MergeCursor, bound: Key?, at version: Version, isReverse: Bool) {
    self.store = store
    self.merge = merge
    self.bound = bound
    self.version = version
    self.isReverse = isReverse
    keyFilter = store.keyFilter
    generation = store.generation
    isPlain = merge.isPlain && !isReverse
  }

  /// The next record, or nil after the last.
  public func next() throws(StoreError) -> Record? { try nextView()?.record }

  /// The next record, lent until the next call and as long as the store does not change; nil after the last.
  public func nextView() throws(StoreError) -> RecordView? {
    precondition(generation == store.generation, "a cursor was used after its store had changed")
    while let view = isReverse ? try findBackward() : try findForward() {
      if let keyFilter, !keyFilter(view.key) { continue }
      return view
    }
    return nil
  }

  private func findForward() throws(StoreError) -> RecordView? {
    if mustAdvance {
      mustAdvance = false
      try merge.advance()
    }
    while merge.isValid {
      let view = merge.view
      if isPlain ? try isAnswer(plain: view) : try isAnswer(view, merge.word, merge.tier) {
        mustAdvance = true
        return view
      }
      if isDone { return nil }
      try merge.advance()
    }
    return nil
  }

  /// Whether a record that is the only one of its key is to be shown.
  @inline(__always)
  private func isAnswer(plain view: RecordView) throws(StoreError) -> Bool {
    if let bound, bound.bytes.withRawBytes({ compareBytes(view.key, $0) >= 0 }) {
      isDone = true
      return false
    }
    return view.version <= version && view.kind == .value
  }

  /// Whether a record is to be shown: the newest of its key that isn't too new, unless a newer one says that the time is
  /// history's, and history shows none.
  @inline(__always)
  private func isAnswer(_ view: RecordView, _ word: UInt64, _ tier: Tier) throws(StoreError) -> Bool {
    if !hasLastKey || word != lastWord || compareBytes(view.key, lastKey.bytes) != 0 {
      if let bound, bound.bytes.withRawBytes({ compareBytes(view.key, $0) >= 0 }) {
        isDone = true
        return false
      }
      lastKey.replace(view.key, from: 0)
      lastWord = word
      hasLastKey = true
      verdict = .open
    }
    guard verdict != .decided else { return false }
    if tier == .history {
      verdict = .decided
      return true
    }
    guard verdict == .open else { return false }
    if view.version <= version {
      verdict = .decided
      return view.kind == .value
    }
    if view.since <= version { verdict = .history }
    return false
  }

  /// Backward the versions of a key come oldest first: which one counts is known only when another key comes. So the one
  /// that counts so far is copied.
  private func findBackward() throws(StoreError) -> RecordView? {
    var found: Found?
    hasLastKey = false
    while merge.isValid {
      let view = merge.view
      if !hasLastKey || compareBytes(view.key, lastKey.bytes) != 0 {
        if let found { return lastView(found) }
        if let bound, bound.bytes.withRawBytes({ compareBytes(view.key, $0) < 0 }) { return nil }
        lastKey.replace(view.key, from: 0)
        hasLastKey = true
      }
      if merge.tier == .history || view.version <= version && found?.tier != .history {
        found = view.kind == .value ? Found(version: view.version, tier: merge.tier) : nil
        lastValue.replace(view.value, from: 0)
      } else if view.version > version, view.since <= version, found?.tier == .current {
        found = nil
      }
      try merge.advance()
    }
    return found.map(lastView)
  }

  private struct Found {
    let version: Version
    let tier: Tier
  }

  private func lastView(_ found: Found) -> RecordView {
    RecordView(key: lastKey.bytes, value: lastValue.bytes, version: found.version, kind: .value)
  }
}
