public import Bytes
import Environment
import Table

/// The state of one partition on one node: a memtable, tables in levels, and what the manifest says of them.
///
/// Confined to the partition's loop. Work that blocks leaves as a job (`freeze`, `nextCompaction`), runs on a worker
/// thread and comes back through `install`; there is at most one at a time. The log is the write-ahead log: what the
/// memtable holds is lost with the process, and applied again from `flushedState.appliedIndex` on.
public final class PartitionStore {
  let context: StoreContext
  private(set) var files: FileSet
  private(set) var memtable = Memtable()
  private(set) var frozen: Frozen?
  private var isJobRunning = false
  /// Counts the changes that make cursors stale.
  private(set) var generation: UInt64 = 0
  /// The state that the tables hold: that of the last flush.
  public private(set) var flushedState: StoreState

  /// A memtable that waits to be flushed, with the state at the moment when it was frozen.
  struct Frozen {
    let memtable: Memtable
    let state: StoreState
  }

  init(context: StoreContext, files: FileSet, state: StoreState) {
    self.context = context
    self.files = files
    flushedState = state
  }

  // MARK: Writing

  /// Adds a record to the memtable. The versions of a key must rise. A record with the key and version of an earlier one
  /// replaces it.
  public func apply(_ record: Record) {
    generation += 1
    record.withView { memtable.insert($0) }
  }

  /// Adds a record that lies in a log payload. Both ranges must lie within it.
  public func apply(
    payload: [UInt8], keyRange: Range<Int>, valueRange: Range<Int>, version: Version, kind: Record.Kind
  ) {
    generation += 1
    payload.withRawBytes { bytes in
      memtable.insert(
        RecordView(
          key: UnsafeRawBufferPointer(rebasing: bytes[keyRange]),
          value: UnsafeRawBufferPointer(rebasing: bytes[valueRange]), version: version, kind: kind))
    }
  }

  // MARK: Jobs

  /// The bytes of the memtables in memory.
  public var memtableBytes: Int { memtable.byteCount + (frozen?.memtable.byteCount ?? 0) }

  /// Whether `freeze` should be called: the memtable is full, or an earlier flush failed.
  public var needsFlush: Bool {
    !isJobRunning && (frozen != nil || memtable.byteCount >= context.options.memtableBytes)
  }

  /// Sets the memtable aside, to be flushed together with the state that belongs to its records, and begins a new one.
  /// nil while a job runs, or if neither records nor state changed since the last flush. If an earlier flush failed, the
  /// job for what was frozen then is given again, and `state` is not looked at.
  public func freeze(state: StoreState) -> FlushJob? {
    guard !isJobRunning else { return nil }
    if frozen == nil {
      guard !memtable.isEmpty || state != flushedState else { return nil }
      generation += 1
      frozen = Frozen(memtable: memtable, state: state)
      memtable = Memtable()
    }
    guard let frozen else { return nil }
    isJobRunning = true
    return FlushJob(context: context, memtable: frozen.memtable, state: frozen.state, files: files)
  }

  /// Takes a flush's result over. Throws the error of one that failed: unless that is fatal, the frozen memtable is
  /// still readable and the next `freeze` tries again.
  public func install(_ result: FlushResult) throws(StoreError) {
    precondition(isJobRunning && frozen?.memtable === result.memtable, "the result of no flush that is running")
    isJobRunning = false
    generation += 1
    files = try result.outcome.get()
    flushedState = result.state
    frozen = nil
  }

  /// The compaction that is most due, or the removal of files that nobody needs any more. nil while a job runs, while a
  /// flush waits, or if there is nothing to do.
  public func nextCompaction() -> CompactionJob? {
    guard !isJobRunning, frozen == nil else { return nil }
    let plan = CompactionPlan.next(files, context.options)
    guard plan != nil || !context.trash.isEmpty else { return nil }
    isJobRunning = true
    return CompactionJob(context: context, files: files, plan: plan)
  }

  /// A compaction of all tables into one level. nil as for `nextCompaction`.
  public func fullCompaction() -> CompactionJob? {
    guard !isJobRunning, frozen == nil, let plan = CompactionPlan.everything(files, context.options) else { return nil }
    isJobRunning = true
    return CompactionJob(context: context, files: files, plan: plan)
  }

  /// Takes a compaction's result over. Throws the error of one that failed; the tables are then as before.
  public func install(_ result: CompactionResult) throws(StoreError) {
    precondition(isJobRunning && frozen == nil, "the result of no compaction that is running")
    isJobRunning = false
    generation += 1
    files = try result.outcome.get()
    for file in result.retired { file.retire() }
  }
}
