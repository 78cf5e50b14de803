import Bytes
import Table

/// Merges tables into a deeper level, and removes files that nobody needs any more. `run` blocks: it is for a worker
/// thread. Its result goes back to the store's loop, to `PartitionStore.install`.
public struct CompactionJob: Sendable {
  let context: StoreContext
  let files: FileSet
  /// nil if there are only files to remove.
  let plan: CompactionPlan?

  /// Writes and syncs the outputs, then the manifest edit.
  public func run() -> CompactionResult {
    context.trash.empty(on: context.disk)
    guard let plan else { return CompactionResult(outcome: .success(files), retired: []) }
    let outcome = Result { () throws(StoreError) in
      try plan.isMove ? move(plan) : merge(plan)
    }
    // The moved tables keep their files.
    return CompactionResult(outcome: outcome, retired: plan.isMove ? [] : plan.inputs)
  }

  private func move(_ plan: CompactionPlan) throws(StoreError) -> FileSet {
    var moved: [TableFile] = []
    for input in plan.inputs { moved.append(input.moved(to: plan.target)) }
    try commit(plan, moved)
    return files.replacing(plan.inputs, with: moved)
  }

  private func merge(_ plan: CompactionPlan) throws(StoreError) -> FileSet {
    try context.writingTables { (begun) throws(StoreError) in
      let outputs = try writeOutputs(plan, &begun)
      try context.syncDirectory()
      try commit(plan, outputs)
      return files.replacing(plan.inputs, with: outputs)
    }
  }

  private func commit(_ plan: CompactionPlan, _ outputs: [TableFile]) throws(StoreError) {
    try context.manifest.append(
      removed: plan.inputs.map(\.entry.number), added: outputs.map(\.entry), state: nil)
  }

  private func writeOutputs(_ plan: CompactionPlan, _ begun: inout [String]) throws(StoreError) -> [TableFile] {
    // Tables of one level above 0 lie apart and so make one source; `files` knows how they are sorted.
    let isInput = Set(plan.inputs.map(\.entry.number))
    let inputs = files.filtered { isInput.contains($0.entry.number) }
    let merge = MergeCursor(inputs.sources(isReverse: false, caching: false), isReverse: false)
    try merge.seek(nil, .max)
    var outputs: [TableFile] = []
    var current: (number: UInt64, writer: TableWriter)?
    while merge.isValid {
      let view = merge.view
      // A key's versions stay together, so that the tables of a level share no key.
      if let open = current, open.writer.fileBytes >= UInt64(context.options.targetFileBytes),
        !open.writer.endsWith(view.key)
      {
        outputs.append(try context.finishTable(open.number, open.writer, level: plan.target))
        current = nil
      }
      let open: (number: UInt64, writer: TableWriter)
      if let current { open = current } else { open = try context.beginTable(&begun) }
      current = open
      do throws(TableError) { try open.writer.add(view) } catch { throw StoreError(error) }
      try merge.advance()
    }
    if let current { outputs.append(try context.finishTable(current.number, current.writer, level: plan.target)) }
    return outputs
  }
}

/// What became of a compaction.
public struct CompactionResult: Sendable {
  let outcome: Result<FileSet, StoreError>
  let retired: [TableFile]

  /// The error, if the compaction failed.
  public var error: StoreError? {
    if case .failure(let error) = outcome { error } else { nil }
  }
}
