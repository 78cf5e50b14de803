import Bytes
import Table

/// Merges tables of history: the records of a group (`Lifetime`) from all of them come together in one run. A run that is
/// large, and whose bucket lies well within the time that the inputs cover, gains nothing from being merged again and goes
/// to the settled level; the others go one level deeper.
struct HistoryMerge {
  let inputs: [TableFile]
  /// The level for what isn't settled.
  let level: Int
  let retention: Retention
  let maker: TableMaker

  /// Neighbouring buckets of a class that make one run.
  private struct Group {
    let lifetime: Int
    /// The first bucket and the last.
    let buckets: ClosedRange<UInt64>
    let bytes: Int
    let runs: [FileRun]
  }

  /// Writes the outputs; gives the sum over the records of which nothing is retained.
  func run() throws(StoreError) -> RecordDigest {
    var dropped = RecordDigest.zero
    var settled: TableMaker.Draft?
    var unsettled: TableMaker.Draft?
    let window = span
    for group in groups() {
      let isSettled =
        level >= StoreOptions.settledLevel
        || group.bytes >= maker.options.settledRunBytes && Lifetime.width(class: group.lifetime) <= window
      if isSettled {
        try write(group, level: StoreOptions.settledLevel, to: &settled, &dropped)
      } else {
        try write(group, level: level, to: &unsettled, &dropped)
      }
    }
    if let settled { try maker.finish(settled) }
    if let unsettled { try maker.finish(unsettled) }
    return dropped
  }

  /// The time that the inputs cover.
  private var span: UInt64 {
    let least = inputs.map(\.reader.properties.minEdge).min() ?? .zero
    let greatest = inputs.map(\.reader.properties.maxEdge).max() ?? .zero
    return greatest.rawValue - least.rawValue
  }

  private func groups() -> [Group] {
    var groups: [Group] = []
    let runs = inputs.flatMap(\.runs)
    for lifetime in 0..<Int(Lifetime.classes) {
      let ofClass = runs.filter { Int($0.run.properties.lifetime) == lifetime }
        .sorted { $0.run.properties.minEdge < $1.run.properties.minEdge }
      groups += self.groups(lifetime, ofClass)
    }
    return groups
  }

  /// Cuts a class where one of its runs begins, as soon as what lies before is large enough for a run.
  private func groups(_ lifetime: Int, _ runs: [FileRun]) -> [Group] {
    func bucket(_ version: Version) -> UInt64 { Lifetime.bucket(of: version, class: lifetime) }
    var groups: [Group] = []
    /// Runs that reach into the group under way.
    var open: [FileRun] = []
    var start: UInt64 = 0
    var bytes = 0
    for run in runs {
      let first = bucket(run.run.properties.minEdge)
      if bytes >= maker.options.historyRunBytes, first > start {
        groups.append(Group(lifetime: lifetime, buckets: start...first - 1, bytes: bytes, runs: open))
        open.removeAll { bucket($0.run.properties.maxEdge) < first }
        (start, bytes) = (first, 0)
      }
      open.append(run)
      bytes += Int(run.run.properties.dataBytes)
    }
    if !open.isEmpty { groups.append(Group(lifetime: lifetime, buckets: start...UInt64.max, bytes: bytes, runs: open)) }
    return groups
  }

  private func write(
    _ group: Group, level: Int, to draft: inout TableMaker.Draft?, _ dropped: inout RecordDigest
  ) throws(StoreError) {
    let merge = MergeCursor(
      group.runs.map { ChainSource([$0], tier: .history, isReverse: false, caching: false) }, isReverse: false)
    try merge.seek(nil, .max)
    while merge.isValid {
      let view = merge.view
      let bucket = Lifetime.bucket(of: view.to, class: group.lifetime)
      // What lies in another group's buckets comes with that.
      if group.buckets.contains(bucket) {
        if retention.holds(from: view.version, to: view.to) {
          try add(view, level: level, to: &draft)
        } else {
          dropped.add(view)
        }
      }
      try merge.advance()
    }
    do throws(TableError) { try draft?.writer.endRun() } catch { throw StoreError(error) }
  }

  private func add(_ view: RecordView, level: Int, to draft: inout TableMaker.Draft?) throws(StoreError) {
    if let open = draft, open.writer.fileBytes >= UInt64(maker.options.targetFileBytes), !open.writer.endsWith(view.key)
    {
      try maker.finish(open)
      draft = nil
    }
    let open: TableMaker.Draft
    if let draft { open = draft } else { open = try maker.begin(.history, level: level) }
    draft = open
    do throws(TableError) { try open.writer.add(view) } catch { throw StoreError(error) }
  }
}
