import Bytes
import Table

/// Which tables are merged into which level.
struct CompactionPlan: Sendable {
  /// The tables, youngest first where they overlap.
  let inputs: [TableFile]
  /// The level that they go to.
  let target: Int
  /// Whether they can go there as they are.
  let isMove: Bool

  /// What is most due, if anything is: the level that exceeds its capacity by the largest factor.
  static func next(_ files: FileSet, _ options: StoreOptions) -> CompactionPlan? {
    var worst: (level: Int, score: Double)?
    for level in 0..<StoreOptions.levels - 1 {
      let score =
        level == 0
        ? Double(files.levels[0].count) / Double(options.level0Files)
        : Double(files.bytes(ofLevel: level)) / Double(options.capacity(ofLevel: level))
      if score >= 1, score > worst?.score ?? 0 { worst = (level, score) }
    }
    return worst.map { $0.level == 0 ? level0(files) : spill(files, level: $0.level) }
  }

  /// Everything into one level that can hold it.
  static func everything(_ files: FileSet, _ options: StoreOptions) -> CompactionPlan? {
    let all = files.all
    guard all.count > 1 || !files.levels[0].isEmpty else { return nil }
    let bytes = all.reduce(0) { $0 + $1.entry.fileBytes }
    let deepest = files.levels.lastIndex { !$0.isEmpty } ?? 0
    var target = max(1, deepest)
    while bytes > options.capacity(ofLevel: target) { target += 1 }
    if files.levels[target].count == all.count { return nil }
    return CompactionPlan(inputs: all, target: target, isMove: false)
  }

  /// All of level 0 into level 1.
  private static func level0(_ files: FileSet) -> CompactionPlan {
    let inputs = files.levels[0]
    let minKey = inputs.dropFirst().reduce(inputs[0].minKey) { min($0, $1.minKey) }
    let maxKey = inputs.dropFirst().reduce(inputs[0].maxKey) { max($0, $1.maxKey) }
    let below = files.overlapping(level: 1, minKey, maxKey)
    let sorted = inputs.sorted { $0.minKey < $1.minKey }
    let areApart = zip(sorted, sorted.dropFirst()).allSatisfy { $0.maxKey < $1.minKey }
    return CompactionPlan(inputs: inputs + below, target: 1, isMove: below.isEmpty && areApart)
  }

  /// The table of a level that has the least below it, in proportion, into the next level.
  private static func spill(_ files: FileSet, level: Int) -> CompactionPlan {
    var best: (file: TableFile, below: ArraySlice<TableFile>, cost: Double)?
    for file in files.levels[level] {
      let below = files.overlapping(level: level + 1, file.minKey, file.maxKey)
      let cost = Double(below.reduce(0) { $0 + $1.entry.fileBytes }) / Double(max(1, file.entry.fileBytes))
      if cost < best?.cost ?? .infinity { best = (file, below, cost) }
    }
    guard let best else { preconditionFailure("a level without tables is full") }
    return CompactionPlan(inputs: [best.file] + best.below, target: level + 1, isMove: best.below.isEmpty)
  }
}
