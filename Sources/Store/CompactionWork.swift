import Bytes
import Table

/// Records on their way from the inputs of a compaction to its outputs.
protocol CompactionWork: AnyObject {
  /// Moves records of about so many bytes; true once there are none left and all outputs are finished.
  func advance(bytes: Int) throws(StoreError) -> Bool
  /// The bytes of keys and values moved so far.
  var movedBytes: UInt64 { get }
  /// The sum over the records that were left out.
  var dropped: RecordDigest { get }
}

/// Folds current tables into a level; what is replaced goes to history.
final class Folding: CompactionWork {
  private let merge: MergeCursor
  private let writer: FoldingWriter
  private let keyFilter: KeyFilter?
  /// The sum over the records of keys that aren't the store's own.
  private var foreign = RecordDigest.zero
  private(set) var movedBytes: UInt64 = 0

  init(
    _ plan: CompactionPlan, _ files: FileSet, _ level: Int, _ retention: RetentionStep, _ keyFilter: KeyFilter?,
    _ maker: TableMaker
  ) throws(StoreError) {
    self.keyFilter = keyFilter
    // Tables of one level above 0 lie apart and so make one source; `files` knows how they are sorted.
    let isInput = Set(plan.inputs.map(\.entry.number))
    let inputs = FileSet(files.all.filter { isInput.contains($0.entry.number) })
    merge = MergeCursor(inputs.currentSources(isReverse: false, caching: false), isReverse: false)
    writer = FoldingWriter(
      maker, level: level, cutBytes: UInt64(maker.options.targetFileBytes), retention: retention.retention,
      mayBeElsewhere: { files.mayHold($0, below: level) })
    try merge.seek(nil, .max)
  }

  var dropped: RecordDigest {
    var sum = writer.dropped
    sum.add(foreign)
    return sum
  }

  func advance(bytes: Int) throws(StoreError) -> Bool {
    var left = bytes
    while merge.isValid, left > 0 {
      let view = merge.view
      let moved = view.key.count + view.value.count
      if let keyFilter, !keyFilter(view.key) { foreign.add(view) } else { try writer.add(view) }
      movedBytes += UInt64(moved)
      left -= max(1, moved)
      try merge.advance()
    }
    guard !merge.isValid else { return false }
    try writer.finish()
    return true
  }
}
