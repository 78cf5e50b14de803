import Bytes
import Table

/// Which tables are merged into which level.
struct CompactionPlan: Sendable {
  /// What becomes of the tables.
  enum Kind: Sendable {
    /// They go to a level of the current tier as they are.
    case move(level: Int)
    /// They are folded into a level of the current tier; what is replaced goes to history.
    case current(level: Int)
    /// Of history, they are merged; what isn't settled then goes to the level.
    case history(level: Int)
    /// Nothing of them is retained: they go.
    case expire
  }

  /// The tables; of the current tier youngest first where they overlap.
  let inputs: [TableFile]
  let kind: Kind

  /// What is most due, if anything is: what has expired; then the level of the current tier that exceeds its capacity by
  /// the largest factor; then a level of history that has grown too wide; then one of the `mixed` tables, which may hold
  /// keys of another store. Tables that couldn't be read are left alone.
  static func next(
    _ files: FileSet, _ options: StoreOptions, _ retention: Retention, damaged: Set<UInt64>, mixed: Set<UInt64>
  ) -> CompactionPlan? {
    due(files, options, retention, damaged) ?? part(files, mixed, damaged)
  }

  private static func due(
    _ files: FileSet, _ options: StoreOptions, _ retention: Retention, _ damaged: Set<UInt64>
  ) -> CompactionPlan? {
    let expired = files.allHistory.filter { $0.isExpired(retention) }
    if !expired.isEmpty { return CompactionPlan(inputs: expired, kind: .expire) }
    return [current(files, options), history(files, options)].lazy.compactMap { $0 }
      .first { $0.spares(damaged) }
  }

  /// A table that may hold keys of another store, to be written anew without them where it is; of level 0 all, since
  /// there the order of the files counts.
  private static func part(_ files: FileSet, _ mixed: Set<UInt64>, _ damaged: Set<UInt64>) -> CompactionPlan? {
    guard !mixed.isEmpty else { return nil }
    if files.levels[0].contains(where: { mixed.contains($0.entry.number) }) {
      let plan = CompactionPlan(inputs: level0(files).inputs, kind: .current(level: 1))
      if plan.spares(damaged) { return plan }
    }
    let deeper = files.levels.dropFirst().joined() + files.allHistory
    return deeper.first { mixed.contains($0.entry.number) && !damaged.contains($0.entry.number) }.map { file in
      let level = file.entry.level
      return CompactionPlan(
        inputs: [file], kind: file.entry.tier == .current ? .current(level: level) : .history(level: level))
    }
  }

  /// Whether none of some tables is among the inputs.
  private func spares(_ tables: Set<UInt64>) -> Bool { !inputs.contains { tables.contains($0.entry.number) } }

  /// The bytes of keys and values that go through memory; none where tables are only moved or dropped.
  var rewrittenBytes: UInt64 {
    switch kind {
    case .move, .expire: 0
    case .current, .history: inputs.reduce(0) { $0 + $1.reader.properties.dataBytes }
    }
  }

  private static func current(_ files: FileSet, _ options: StoreOptions) -> CompactionPlan? {
    guard let worst = fullest(files, options), worst.score >= 1 else { return nil }
    return worst.level == 0 ? level0(files) : spill(files, level: worst.level)
  }

  /// The level of the current tier that is filled by the largest factor.
  private static func fullest(_ files: FileSet, _ options: StoreOptions) -> (level: Int, score: Double)? {
    (0..<StoreOptions.levels - 1).map { level in
      level == 0
        ? (level, Double(files.levels[0].count) / Double(options.level0Files))
        : (level, Double(files.bytes(ofLevel: level)) / Double(options.capacity(ofLevel: level)))
    }.max { $0.1 < $1.1 }
  }

  private static func history(_ files: FileSet, _ options: StoreOptions) -> CompactionPlan? {
    for (level, tables) in files.history.enumerated().dropLast() {
      if tables.count >= options.historyFanIn, FileSet.depth(tables) >= options.historyFanIn {
        return CompactionPlan(inputs: tables, kind: .history(level: level + 1))
      }
    }
    return nil
  }

  /// How pressing what `next` gives is: the factor by which it exceeds what makes it due; less than 1 where tables are
  /// only to be parted from another store's; 0 if nothing is due.
  static func urgency(
    _ files: FileSet, _ options: StoreOptions, _ retention: Retention, damaged: Set<UInt64>, mixed: Set<UInt64>,
    hasTrash: Bool
  ) -> Double {
    guard let plan = due(files, options, retention, damaged) else {
      return hasTrash ? 1 : part(files, mixed, damaged) == nil ? 0 : 0.5
    }
    return switch plan.kind {
    // Removing what has expired costs next to nothing and gives back room.
    case .expire: .infinity
    case .move, .current: max(1, fullest(files, options)?.score ?? 1)
    case .history: Double(plan.inputs.count) / Double(options.historyFanIn)
    }
  }

  /// The bytes that the compactions which are due will rewrite, about: level 0 with what it overlaps; of each further level
  /// what is more than it holds, with the part of the next level that goes with it; of history the levels that are too wide.
  static func debt(_ files: FileSet, _ options: StoreOptions) -> UInt64 {
    var debt: UInt64 = 0
    var incoming: UInt64 = 0
    if files.levels[0].count >= options.level0Files {
      incoming = files.bytes(ofLevel: 0)
      debt += incoming + files.bytes(ofLevel: 1)
    }
    for level in 1..<StoreOptions.levels - 1 {
      let bytes = files.bytes(ofLevel: level) + incoming
      let capacity = options.capacity(ofLevel: level)
      incoming = bytes > capacity ? bytes - capacity : 0
      guard incoming > 0 else { break }
      let ratio = Double(files.bytes(ofLevel: level + 1)) / Double(max(1, bytes))
      debt += incoming + UInt64(Double(incoming) * ratio)
    }
    for tables in files.history.dropLast()
    where tables.count >= options.historyFanIn && FileSet.depth(tables) >= options.historyFanIn {
      debt += tables.reduce(0) { $0 + $1.entry.fileBytes }
    }
    return debt
  }

  /// Everything current into one level that can hold it.
  static func everything(_ files: FileSet, _ options: StoreOptions) -> CompactionPlan? {
    let all = files.levels.flatMap { $0 }
    guard all.count > 1 || !files.levels[0].isEmpty else { return nil }
    let bytes = all.reduce(0) { $0 + $1.entry.fileBytes }
    let deepest = files.levels.lastIndex { !$0.isEmpty } ?? 0
    var target = max(1, deepest)
    while bytes > options.capacity(ofLevel: target) { target += 1 }
    if files.levels[target].count == all.count { return nil }
    return CompactionPlan(inputs: all, kind: .current(level: target))
  }

  /// All of level 0 into level 1.
  private static func level0(_ files: FileSet) -> CompactionPlan {
    let inputs = files.levels[0]
    let minKey = inputs.dropFirst().reduce(inputs[0].minKey) { min($0, $1.minKey) }
    let maxKey = inputs.dropFirst().reduce(inputs[0].maxKey) { max($0, $1.maxKey) }
    let below = files.overlapping(level: 1, minKey, maxKey)
    let sorted = inputs.sorted { $0.minKey < $1.minKey }
    let areApart = zip(sorted, sorted.dropFirst()).allSatisfy { $0.maxKey < $1.minKey }
    return CompactionPlan(
      inputs: inputs + below, kind: below.isEmpty && areApart ? .move(level: 1) : .current(level: 1))
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
    return CompactionPlan(
      inputs: [best.file] + best.below,
      kind: best.below.isEmpty ? .move(level: level + 1) : .current(level: level + 1))
  }
}
