import Bytes
import Table

/// Merges tables of history: the records of a group (`Lifetime`) from all of them come together in one run. A run that is
/// large, and whose bucket lies well within the time that the inputs cover, gains nothing from being merged again and goes
/// to the settled level; the others go one level deeper.
final class HistoryMerge: CompactionWork {
  private let inputs: [TableFile]
  /// The level for what isn't settled.
  private let level: Int
  private let retention: Retention
  private let keyFilter: KeyFilter?
  private let maker: TableMaker
  /// The groups that are left, the next one last.
  private lazy var groups: [Group] = makeGroups().reversed()
  private var current: Current?
  private var settled: TableMaker.Draft?
  private var unsettled: TableMaker.Draft?
  private(set) var movedBytes: UInt64 = 0
  private(set) var dropped = RecordDigest.zero

  init(inputs: [TableFile], level: Int, retention: Retention, keyFilter: KeyFilter?, maker: TableMaker) {
    self.inputs = inputs
    self.level = level
    self.retention = retention
    self.keyFilter = keyFilter
    self.maker = maker
  }

  /// Neighbouring buckets of a class that make one run.
  private struct Group {
    let lifetime: Int
    /// The first bucket and the last.
    let buckets: ClosedRange<UInt64>
    let bytes: Int
    let runs: [FileRun]
  }

  /// The group under way, its records, and whether they settle.
  private struct Current {
    let group: Group
    let merge: MergeCursor
    let isSettled: Bool
  }

  func advance(bytes: Int) throws(StoreError) -> Bool {
    var left = bytes
    while left > 0 {
      guard let current = try next() else {
        if let settled { try maker.finish(settled) }
        if let unsettled { try maker.finish(unsettled) }
        return true
      }
      let merge = current.merge
      while merge.isValid, left > 0 {
        left -= max(1, try take(merge.view, of: current))
        try merge.advance()
      }
      if !merge.isValid { try endGroup() }
    }
    return false
  }

  /// The group under way, or the next; nil after the last.
  private func next() throws(StoreError) -> Current? {
    if let current { return current }
    guard let group = groups.popLast() else { return nil }
    let merge = MergeCursor(
      group.runs.map { ChainSource([$0], tier: .history, isReverse: false, caching: false) }, isReverse: false)
    try merge.seek(nil, .max)
    let isLarge = group.bytes >= maker.options.settledRunBytes && Lifetime.width(class: group.lifetime) <= span
    current = Current(group: group, merge: merge, isSettled: isLarge || level >= StoreOptions.settledLevel)
    return current
  }

  /// Takes a record over, unless it lies in the buckets of another group, with which it comes. Gives its bytes.
  private func take(_ view: RecordView, of current: Current) throws(StoreError) -> Int {
    guard current.group.buckets.contains(Lifetime.bucket(of: view.to, class: current.group.lifetime)) else { return 0 }
    let bytes = view.key.count + view.value.count
    movedBytes += UInt64(bytes)
    if !retention.holds(from: view.version, to: view.to) || keyFilter.map({ !$0(view.key) }) ?? false {
      dropped.add(view)
    } else if current.isSettled {
      try add(view, level: StoreOptions.settledLevel, to: &settled)
    } else {
      try add(view, level: level, to: &unsettled)
    }
    return bytes
  }

  private func endGroup() throws(StoreError) {
    current = nil
    do throws(TableError) {
      try settled?.writer.endRun()
      try unsettled?.writer.endRun()
    } catch {
      throw StoreError(error)
    }
  }

  /// The time that the inputs cover.
  private lazy var span: UInt64 = {
    let least = inputs.map(\.reader.properties.minEdge).min() ?? .zero
    let greatest = inputs.map(\.reader.properties.maxEdge).max() ?? .zero
    return greatest.rawValue - least.rawValue
  }()

  private func makeGroups() -> [Group] {
    var groups: [Group] = []
    let runs = inputs.flatMap(\.runs)
    for lifetime in 0..<Int(Lifetime.classes) {
      let ofClass = runs.filter { Int($0.run.properties.lifetime) == lifetime }
        .sorted { $0.run.properties.minEdge < $1.run.properties.minEdge }
      groups += makeGroups(lifetime, ofClass)
    }
    return groups
  }

  /// Cuts a class where one of its runs begins, as soon as what lies before is large enough for a run.
  private func makeGroups(_ lifetime: Int, _ runs: [FileRun]) -> [Group] {
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
