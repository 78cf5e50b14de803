import Bytes
import Table

/// Merges tables, or drops those of which nothing is retained, and removes files that nobody needs any more, slice by slice:
/// whoever drives it decides how much is done at a time and what goes first. Its result goes back to the store's loop, to
/// `PartitionStore.install`. A job that is not driven to its end leaves files that the next opening of the store removes.
///
/// SAFETY: Sendable because one thread at a time drives it, and it is handed on between two slices; `meter` alone is
/// looked at meanwhile, and consists of atomics.
public final class CompactionJob: @unchecked Sendable {
  let meter: CompactionMeter
  private let context: StoreContext
  private let files: FileSet
  /// nil if there are only files to remove.
  private let plan: CompactionPlan?
  private let retention: RetentionStep
  private let keyFilter: KeyFilter?
  /// Which of the store's filters that is.
  let filterNumber: Int
  private var attempt: Attempt?
  private var isSecondAttempt = false

  /// Outputs under construction.
  private struct Attempt {
    let maker: TableMaker
    let work: any CompactionWork
  }

  init(
    context: StoreContext, files: FileSet, plan: CompactionPlan?, retention: RetentionStep, keyFilter: KeyFilter?,
    filterNumber: Int
  ) {
    self.context = context
    self.files = files
    self.plan = plan
    self.retention = retention
    self.keyFilter = keyFilter
    self.filterNumber = filterNumber
    meter = CompactionMeter(total: plan?.rewrittenBytes ?? 0)
  }

  /// Does all of it. Blocks: it is for a worker thread.
  public func run() -> CompactionResult {
    while true {
      if let result = step(bytes: .max) { return result }
    }
  }

  /// Merges records of about `bytes`; nil as long as there is more to do. Blocks: it is for a worker thread.
  public func step(bytes: Int) -> CompactionResult? {
    guard let plan else {
      context.emptyTrash()
      return CompactionResult(outcome: .success([]), inputs: [], retired: [])
    }
    if attempt == nil { context.emptyTrash() }
    do throws(StoreError) {
      guard let outputs = try proceed(plan, bytes) else { return nil }
      return result(plan, .success(outputs))
    } catch {
      return result(plan, .failure(error))
    }
  }

  private func result(_ plan: CompactionPlan, _ outcome: Result<[TableFile], StoreError>) -> CompactionResult {
    // The moved tables keep their files.
    let keepsFiles = if case .move = plan.kind { true } else { false }
    return CompactionResult(outcome: outcome, inputs: plan.inputs, retired: keepsFiles ? [] : plan.inputs)
  }

  private func proceed(_ plan: CompactionPlan, _ bytes: Int) throws(StoreError) -> [TableFile]? {
    switch plan.kind {
    case .move(let level):
      let moved = plan.inputs.map { $0.moved(to: level) }
      try commit(plan, moved)
      return moved
    case .expire:
      try commit(plan, [])
      return []
    case .current(let level):
      return try merge(plan, bytes) { (maker) throws(StoreError) in
        try Folding(plan, files, level, retention, keyFilter, maker)
      }
    case .history(let level):
      return try merge(plan, bytes) { (maker) throws(StoreError) in
        HistoryMerge(
          inputs: plan.inputs, level: level, retention: retention.retention, keyFilter: keyFilter, maker: maker)
      }
    }
  }

  /// One slice of a merge. What can't be made durable is thrown away and written once more; if that fails as well, the
  /// error is fatal (DESIGN §5).
  private func merge(
    _ plan: CompactionPlan, _ bytes: Int, _ begin: (TableMaker) throws(StoreError) -> any CompactionWork
  ) throws(StoreError) -> [TableFile]? {
    let maker = attempt?.maker ?? context.makeTables()
    do throws(StoreError) {
      let work = if let attempt { attempt.work } else { try begin(maker) }
      attempt = Attempt(maker: maker, work: work)
      let isDone = try work.advance(bytes: bytes)
      meter.show(done: work.movedBytes)
      return isDone ? try complete(plan, maker, work) : nil
    } catch {
      attempt = nil
      let error = context.abandon(maker, after: error, isSecondAttempt: isSecondAttempt)
      if let error { throw error }
      isSecondAttempt = true
      return nil
    }
  }

  /// Brings the outputs into force, provided that they hold everything that the inputs held and that wasn't left out.
  private func complete(
    _ plan: CompactionPlan, _ maker: TableMaker, _ work: any CompactionWork
  ) throws(StoreError) -> [TableFile] {
    var sum = work.dropped
    sum.add(maker.digest)
    var expected = RecordDigest.zero
    for input in plan.inputs { expected.add(input.reader.properties.digest) }
    guard sum == expected else { throw .unbalanced(paths: plan.inputs.map(\.reader.path)) }
    let outputs = try context.open(maker)
    try commit(plan, outputs)
    context.fillCache(with: outputs)
    return outputs
  }

  private func commit(_ plan: CompactionPlan, _ outputs: [TableFile]) throws(StoreError) {
    try context.manifest.append(
      removed: plan.inputs.map(\.entry.number), added: outputs.map(\.entry), retention: retention)
  }
}

/// What became of a compaction.
public struct CompactionResult: Sendable {
  /// The new tables.
  let outcome: Result<[TableFile], StoreError>
  /// The tables that they replace.
  let inputs: [TableFile]
  /// Those of them whose files nobody needs any more.
  let retired: [TableFile]

  /// The error, if the compaction failed.
  public var error: StoreError? {
    if case .failure(let error) = outcome { error } else { nil }
  }
}
