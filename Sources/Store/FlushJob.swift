import Bytes
import Table

/// Turns a frozen memtable into a table of level 0, with the state that belongs to it. `run` blocks: it is for a worker
/// thread. Its result goes back to the store's loop, to `PartitionStore.install`.
public struct FlushJob: Sendable {
  let context: StoreContext
  let memtable: Memtable
  let state: StoreState
  let files: FileSet

  /// Writes and syncs the table, then the manifest edit.
  public func run() -> FlushResult {
    context.trash.empty(on: context.disk)
    return FlushResult(
      outcome: Result { () throws(StoreError) in try write() }, memtable: memtable, state: state)
  }

  private func write() throws(StoreError) -> FileSet {
    guard !memtable.isEmpty else {
      try context.manifest.append(removed: [], added: [], state: state)
      return files
    }
    return try context.writingTables { (begun) throws(StoreError) in
      let (number, writer) = try context.beginTable(&begun)
      let source = MemtableSource(memtable, isReverse: false)
      source.seek(nil, .max)
      while source.isValid {
        try mapping { () throws(TableError) in try writer.add(source.view) }
        source.advance()
      }
      let file = try context.finishTable(number, writer, level: 0)
      try context.syncDirectory()
      try context.manifest.append(removed: [], added: [file.entry], state: state)
      return files.replacing([], with: [file])
    }
  }
}

/// What became of a flush.
public struct FlushResult: Sendable {
  let outcome: Result<FileSet, StoreError>
  let memtable: Memtable
  let state: StoreState

  /// The error, if the flush failed.
  public var error: StoreError? {
    if case .failure(let error) = outcome { error } else { nil }
  }
}
