public import Bytes
import Environment
import Table

/// Whether a key is a store's own. Called on any thread, with a key that is lent for the call.
public typealias KeyFilter = @Sendable (UnsafeRawBufferPointer) -> Bool

/// The state of one partition on one node: a memtable, tables in levels, and what the manifest says of them.
///
/// Confined to the partition's loop. Work that blocks leaves as a job (`freeze`, `nextCompaction`), runs on a worker
/// thread and comes back through `install`; there is at most one flush and one compaction at a time. The log is the
/// write-ahead log: what the memtable holds is lost with the process, and applied again from
/// `flushedState.appliedIndex` on.
public final class PartitionStore {
  let context: StoreContext
  /// The tables; replaced by `install` alone, and by tests.
  var files: FileSet
  private(set) var memtable = Memtable()
  private(set) var frozen: Frozen?
  private var isFlushing = false
  /// The size at which the memtable is full.
  private var fullBytes: Int
  /// The compaction that was given out and hasn't come back.
  private(set) var compaction: CompactionJob?
  /// The bytes that the compactions which are due will rewrite, about: the debt.
  public private(set) var debtBytes: UInt64
  /// The bytes of files written since the store was opened.
  private(set) var flushedBytes: UInt64 = 0
  private(set) var compactedBytes: UInt64 = 0
  private(set) var historyWrittenBytes: UInt64 = 0
  /// What of the past can be read; what can't may be dropped.
  public var retention: Retention { retentionStep.retention }
  private var retentionStep: RetentionStep
  /// The numbers of tables that a compaction could not read: they are left as they are until they are replaced.
  private(set) var damaged: Set<UInt64> = []
  /// Counts the changes that make cursors stale.
  private(set) var generation: UInt64 = 0
  /// Which keys are the store's own; nil: all that it holds. What else its tables hold, since they were linked from
  /// another store or are linked by one, is not shown, not exported, and dropped by compactions; those that are due for
  /// nothing else are due for that. A `get` doesn't ask.
  public var keyFilter: KeyFilter? {
    get { ownership.filter }
    set {
      let memtables = [memtable] + (frozen.map { [$0.memtable] } ?? [])
      ownership.change(newValue, tables: files.all, memtables: memtables)
    }
  }
  /// Whether there may be records of other keys than the store's own: as long as there are, the filter is needed.
  public var holdsOthersKeys: Bool {
    ownership.isMixed || compaction.map { $0.filterNumber != ownership.number } ?? false
  }
  private(set) var ownership = Ownership()
  /// The state that the tables hold: that of the last flush.
  public private(set) var flushedState: StoreState

  /// A memtable that waits to be flushed, with the state at the moment when it was frozen.
  struct Frozen {
    let memtable: Memtable
    let state: StoreState
  }

  init(context: StoreContext, files: FileSet, state: StoreState, retention: Retention) {
    self.context = context
    self.files = files
    debtBytes = CompactionPlan.debt(files, context.options)
    retentionStep = RetentionStep(retention: retention, number: 0)
    flushedState = state
    fullBytes = Int(Double(context.options.memtableBytes) * context.options.firstMemtableShare)
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
    // SAFETY: both ranges lie in the payload, as the caller vouches and the precondition holds against it.
    precondition(max(keyRange.upperBound, valueRange.upperBound) <= payload.count, "a record outside of its payload")
    payload.withRawBytes { bytes in
      memtable.insert(
        RecordView(
          key: UnsafeRawBufferPointer(rebasing: bytes[keyRange]),
          value: UnsafeRawBufferPointer(rebasing: bytes[valueRange]), version: version, kind: kind))
    }
  }

  /// Says what of the past must stay readable from now on. A floor below the present one counts as that: what was
  /// dropped does not come back. Takes effect on what is read at once, on the disk with the jobs that begin afterwards.
  public func retain(_ retention: Retention) {
    let raised = Retention(floor: max(retention.floor, self.retention.floor), pins: retention.pins)
    if raised != self.retention { retentionStep = RetentionStep(retention: raised, number: retentionStep.number + 1) }
  }

  // MARK: Jobs

  /// The bytes of the memtables in memory.
  public var memtableBytes: Int { memtable.byteCount + (frozen?.memtable.byteCount ?? 0) }

  /// Whether `freeze` should be called: the memtable is full, or an earlier flush failed.
  public var needsFlush: Bool {
    !isFlushing && (frozen != nil || memtable.byteCount >= fullBytes)
  }

  /// Sets the memtable aside, to be flushed together with the state that belongs to its records, and begins a new one.
  /// nil while a flush runs, or if neither records nor state changed since the last. If an earlier flush failed, the job
  /// for what was frozen then is given again, and `state` is not looked at.
  public func freeze(state: StoreState) -> FlushJob? {
    guard !isFlushing else { return nil }
    if frozen == nil {
      guard !memtable.isEmpty || state != flushedState else { return nil }
      generation += 1
      frozen = Frozen(memtable: memtable, state: state)
      memtable = Memtable()
      fullBytes = context.options.memtableBytes
    }
    guard let frozen else { return nil }
    isFlushing = true
    return FlushJob(
      context: context, memtable: frozen.memtable, state: frozen.state, files: files, retention: retentionStep)
  }

  /// Takes a flush's result over. Throws the error of one that failed: unless that is fatal, the frozen memtable is
  /// still readable and the next `freeze` tries again.
  public func install(_ result: FlushResult) throws(StoreError) {
    precondition(isFlushing && frozen?.memtable === result.memtable, "the result of no flush that is running")
    isFlushing = false
    generation += 1
    let added = try result.outcome.get()
    replace([], with: added)
    ownership.flushed(result.memtable, into: added)
    flushedBytes += Self.bytes(of: added)
    historyWrittenBytes += Self.bytes(of: added.filter { $0.entry.tier == .history })
    flushedState = result.state
    frozen = nil
  }

  /// The compaction that is most due, or the removal of files that nobody needs any more. nil while a compaction runs, or
  /// if there is nothing to do.
  public func nextCompaction() -> CompactionJob? {
    guard compaction == nil else { return nil }
    let plan = CompactionPlan.next(
      files, context.options, retention, damaged: damaged, mixed: ownership.mixedTables)
    guard plan != nil || !context.trash.isEmpty else { return nil }
    return begin(plan)
  }

  /// A compaction of all tables of the current tier into one level. nil as for `nextCompaction`.
  public func fullCompaction() -> CompactionJob? {
    guard compaction == nil, let plan = CompactionPlan.everything(files, context.options) else { return nil }
    return begin(plan)
  }

  private func begin(_ plan: CompactionPlan?) -> CompactionJob {
    let job = CompactionJob(
      context: context, files: files, plan: plan, retention: retentionStep, keyFilter: keyFilter,
      filterNumber: ownership.number)
    compaction = job
    return job
  }

  private static func bytes(of files: [TableFile]) -> UInt64 { files.reduce(0) { $0 + $1.entry.fileBytes } }

  private func replace(_ removed: [TableFile], with added: [TableFile]) {
    files = files.replacing(removed, with: added)
    debtBytes = CompactionPlan.debt(files, context.options)
  }

  /// Takes a compaction's result over. Throws the error of one that failed; the tables are then as before, and one that
  /// couldn't be read is not tried again.
  public func install(_ result: CompactionResult) throws(StoreError) {
    guard let job = compaction else { preconditionFailure("the result of no compaction that is running") }
    compaction = nil
    generation += 1
    if case .success(let added) = result.outcome, !result.retired.isEmpty {
      compactedBytes += Self.bytes(of: added)
      historyWrittenBytes += Self.bytes(of: added.filter { $0.entry.tier == .history })
    }
    switch result.outcome {
    case .success(let added):
      replace(result.inputs, with: added)
      ownership.replaced(result.inputs, with: added, number: job.filterNumber)
    case .failure(let error):
      damaged.formUnion(error.suspects(among: result.inputs).map(\.entry.number))
      throw error
    }
    for file in result.retired { file.retire() }
  }
}

extension StoreError {
  /// Which inputs of a compaction an error shows not to be what they should: the one that it names; or all, where only
  /// the output shows that something is wrong.
  fileprivate func suspects(among inputs: [TableFile]) -> [TableFile] {
    switch self {
    case .corrupt(let path, _, _, _):
      let named = inputs.filter { $0.reader.path == path }
      return named.isEmpty ? inputs : named
    case .unbalanced: return inputs
    default: return []
    }
  }
}
