import Bytes
import Table

/// Turns a frozen memtable into a table of level 0, and one of history where it holds records that it also replaces, with
/// the state that belongs to it. `run` blocks: it is for a worker thread. Its result goes back to the store's loop, to
/// `PartitionStore.install`.
public struct FlushJob: Sendable {
  let context: StoreContext
  let memtable: Memtable
  let state: StoreState
  let files: FileSet
  let retention: RetentionStep

  /// Writes and syncs the tables, then the manifest edit.
  public func run() -> FlushResult {
    context.emptyTrash()
    return FlushResult(
      outcome: Result { () throws(StoreError) in try write() }, memtable: memtable, state: state)
  }

  private func write() throws(StoreError) -> [TableFile] {
    guard !memtable.isEmpty else {
      try context.manifest.append(removed: [], added: [], state: state, retention: retention)
      return []
    }
    return try context.writingTables { (maker) throws(StoreError) in
      let writer = FoldingWriter(
        maker, level: 0, cutBytes: .max, retention: retention.retention,
        mayBeElsewhere: { files.mayHold($0, below: -1) })
      let source = MemtableSource(memtable, isReverse: false)
      source.seek(nil, .max)
      while source.isValid {
        try writer.add(source.view)
        source.advance()
      }
      try writer.finish()
      let added = try context.open(maker)
      try context.manifest.append(removed: [], added: added.map(\.entry), state: state, retention: retention)
      context.fillCache(with: added)
      return added
    }
  }
}

/// What became of a flush.
public struct FlushResult: Sendable {
  /// The new tables.
  let outcome: Result<[TableFile], StoreError>
  let memtable: Memtable
  let state: StoreState

  /// The error, if the flush failed.
  public var error: StoreError? {
    if case .failure(let error) = outcome { error } else { nil }
  }
}
