import Bytes
import Table

/// The keys that a walk is about.
struct KeyRange {
  /// The first key; nil for the first of all.
  let lower: Key?
  /// The key behind the last; nil for none.
  let upper: Key?

  static let everything = KeyRange(lower: nil, upper: nil)

  /// Whether some key from `min` to `max` may be in the range.
  func overlaps(_ min: Key, _ max: Key) -> Bool {
    if let lower, max < lower { return false }
    if let upper, min >= upper { return false }
    return true
  }
}

extension FileSet {
  /// Sources over all current tables that may hold keys of a range, the youngest first.
  func currentSources(in range: KeyRange = .everything, isReverse: Bool, caching: Bool) -> [RecordSource] {
    sources(in: range, at: nil, isReverse: isReverse, caching: caching)
  }

  /// Sources over every table and run that may hold a write above a version, or tell of a deletion above it.
  func sources(in range: KeyRange, after since: Version) -> [RecordSource] {
    let runs = allHistory.flatMap(\.runs).filter {
      $0.run.properties.maxEdge > since && range.overlaps($0.run.properties.minKey, $0.run.properties.maxKey)
    }
    return sources(in: range, at: nil, after: since, isReverse: false, caching: false)
      + Self.chains(runs).map { ChainSource($0[...], in: range, tier: .history, isReverse: false, caching: false) }
  }

  /// Sources over what a walk at a version needs: current tables that have something to say about it, the youngest first,
  /// and what history shows alive then.
  func sources(in range: KeyRange, at version: Version, isReverse: Bool) throws(StoreError) -> [RecordSource] {
    var sources = sources(in: range, at: version, isReverse: isReverse, caching: true)
    guard !lives.isOver(at: version) else { return sources }
    var alive: [FileRun] = []
    try lives.visit(at: version) { run in
      if range.overlaps(run.run.properties.minKey, run.run.properties.maxKey) { alive.append(run) }
      return false
    }
    for chain in Self.chains(alive) {
      sources.append(
        ChainSource(chain[...], in: range, tier: .history, at: version, isReverse: isReverse, caching: true))
    }
    return sources
  }

  /// Sources over every record of history.
  func historySources(in range: KeyRange) -> [RecordSource] {
    let runs = allHistory.flatMap(\.runs).filter { range.overlaps($0.run.properties.minKey, $0.run.properties.maxKey) }
    return Self.chains(runs).map { ChainSource($0[...], in: range, tier: .history, isReverse: false, caching: false) }
  }

  /// Parts runs into as few rows as possible in which they lie apart, each sorted by key.
  static func chains(_ runs: [FileRun]) -> [[FileRun]] {
    var chains: [[FileRun]] = []
    for run in runs.sorted(by: { $0.run.properties.minKey < $1.run.properties.minKey }) {
      let fit = chains.firstIndex {
        ($0.last?.run.properties.maxKey ?? run.run.properties.minKey) < run.run.properties.minKey
      }
      if let fit { chains[fit].append(run) } else { chains.append([run]) }
    }
    return chains
  }

  private func sources(
    in range: KeyRange, at version: Version?, after since: Version = .zero, isReverse: Bool, caching: Bool
  ) -> [RecordSource] {
    // From the oldest to the youngest: a table all of whose records are too new says at most that older current ones
    // don't count, which is worth nothing where there are none.
    var found: [RecordSource] = []
    func hasNothing(_ run: FileRun) -> Bool {
      guard run.run.properties.maxVersion > since else { return true }
      guard let version else { return false }
      return run.run.properties.minEdge > version || found.isEmpty && run.run.properties.minVersion > version
    }
    func add(_ runs: ArraySlice<FileRun>) {
      guard !runs.isEmpty else { return }
      found.append(ChainSource(runs, in: range, tier: .current, isReverse: isReverse, caching: caching))
    }
    for level in stride(from: levels.count - 1, through: 1, by: -1) where !levels[level].isEmpty {
      let files = levels[level]
      let start = range.lower.map { lower in Self.firstIndex(files) { $0.maxKey >= lower } } ?? 0
      let end = range.upper.map { upper in Self.firstIndex(files) { $0.minKey >= upper } } ?? files.count
      guard start < end else { continue }
      let runs = currentRuns[level][start..<end]
      add(runs.contains(where: hasNothing) ? runs.filter { !hasNothing($0) }[...] : runs)
    }
    for (file, run) in zip(levels[0], currentRuns[0]).reversed()
    where range.overlaps(file.minKey, file.maxKey) && !hasNothing(run) {
      add([run])
    }
    return found.reversed()
  }
}
