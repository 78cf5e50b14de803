import Bytes
public import Table

/// All that a store holds at one moment: its tables, and the records that are in memory alone. It stays as it is while
/// the store goes on, and keeps its files in existence until it is released. May be read on any thread.
public final class StoreView: Sendable {
  let context: StoreContext
  /// The youngest first.
  let memtables: [Memtable]
  /// Held, so that none of them is removed; read anew.
  let files: FileSet
  /// What of the past the store had been told to keep: all of that is here.
  public let retention: Retention
  /// Which keys are the store's own: the others don't count.
  let keyFilter: KeyFilter?

  init(
    context: StoreContext, memtables: [Memtable], files: FileSet, retention: Retention, keyFilter: KeyFilter? = nil
  ) {
    self.keyFilter = keyFilter
    self.context = context
    self.memtables = memtables
    self.files = files
    self.retention = retention
  }

  /// The bytes that reading all of it takes, about: files once as they are, once record by record.
  var readBytes: UInt64 {
    files.all.reduce(0) { $0 + $1.entry.fileBytes + $1.reader.properties.dataBytes }
      + UInt64(memtables.reduce(0) { $0 + $1.byteCount })
  }
}

extension PartitionStore {
  /// The state on its way to the disk, or there already: what comes after it is in the memtable.
  public var pendingState: StoreState { frozen?.state ?? flushedState }

  /// The sum over the records of the memtable.
  public var memtableDigest: RecordDigest { memtable.digest }

  /// What the store holds now. Copies the memtable, which takes a quarter of a microsecond for each of its records.
  public func view() -> StoreView {
    let memtables = [memtable.isEmpty ? nil : memtable.copy(), frozen?.memtable].compactMap { $0 }
    return StoreView(context: context, memtables: memtables, files: files, retention: retention, keyFilter: keyFilter)
  }
}
