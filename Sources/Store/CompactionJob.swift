import Bytes
import Table

/// Merges tables, or drops those of which nothing is retained, and removes files that nobody needs any more. `run` blocks:
/// it is for a worker thread. Its result goes back to the store's loop, to `PartitionStore.install`.
public struct CompactionJob: Sendable {
  let context: StoreContext
  let files: FileSet
  /// nil if there are only files to remove.
  let plan: CompactionPlan?
  let retention: RetentionStep

  /// Writes and syncs the outputs, then the manifest edit.
  public func run() -> CompactionResult {
    context.trash.empty(on: context.disk)
    guard let plan else { return CompactionResult(outcome: .success([]), inputs: [], retired: []) }
    let outcome = Result { () throws(StoreError) in try carryOut(plan) }
    // The moved tables keep their files.
    let keepsFiles = if case .move = plan.kind { true } else { false }
    return CompactionResult(outcome: outcome, inputs: plan.inputs, retired: keepsFiles ? [] : plan.inputs)
  }

  private func carryOut(_ plan: CompactionPlan) throws(StoreError) -> [TableFile] {
    switch plan.kind {
    case .move(let level):
      let moved = plan.inputs.map { $0.moved(to: level) }
      try commit(plan, moved)
      return moved
    case .expire:
      try commit(plan, [])
      return []
    case .current(let level):
      return try write(plan) { (maker) throws(StoreError) in try fold(plan, into: level, maker) }
    case .history(let level):
      return try write(plan) { (maker) throws(StoreError) in
        try HistoryMerge(inputs: plan.inputs, level: level, retention: retention.retention, maker: maker).run()
      }
    }
  }

  /// Writes outputs with `body`, which gives the sum over what it left out. They come into force only if they hold
  /// everything else that the inputs held.
  private func write(
    _ plan: CompactionPlan, _ body: (TableMaker) throws(StoreError) -> RecordDigest
  ) throws(StoreError) -> [TableFile] {
    try context.writingTables { (maker) throws(StoreError) in
      var sum = try body(maker)
      sum.add(maker.digest)
      var expected = RecordDigest.zero
      for input in plan.inputs { expected.add(input.reader.properties.digest) }
      guard sum == expected else { throw .unbalanced(paths: plan.inputs.map(\.reader.path)) }
      let outputs = try context.open(maker)
      try commit(plan, outputs)
      return outputs
    }
  }

  private func commit(_ plan: CompactionPlan, _ outputs: [TableFile]) throws(StoreError) {
    try context.manifest.append(
      removed: plan.inputs.map(\.entry.number), added: outputs.map(\.entry), retention: retention)
  }

  private func fold(
    _ plan: CompactionPlan, into level: Int, _ maker: TableMaker
  ) throws(StoreError) -> RecordDigest {
    // Tables of one level above 0 lie apart and so make one source; `files` knows how they are sorted.
    let isInput = Set(plan.inputs.map(\.entry.number))
    let inputs = files.filtered { isInput.contains($0.entry.number) }
    let merge = MergeCursor(inputs.currentSources(isReverse: false, caching: false), isReverse: false)
    let writer = FoldingWriter(
      maker, level: level, cutBytes: UInt64(context.options.targetFileBytes), retention: retention.retention,
      mayBeElsewhere: { files.mayHold($0, below: level) })
    try merge.seek(nil, .max)
    while merge.isValid {
      try writer.add(merge.view)
      try merge.advance()
    }
    try writer.finish()
    return writer.dropped
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
