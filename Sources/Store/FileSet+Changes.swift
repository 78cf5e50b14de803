import Bytes
import Table

extension FileSet {
  /// Sources over all tables that may hold a change above a version to keys of a range, the youngest first: current ones
  /// with a newer record, and history whose records began or ended later. The end of one may be a deletion that nothing
  /// else tells of; where it isn't, what replaced it is newer than the version too, and so among the sources.
  func sources(changedAfter version: Version, in range: KeyRange) -> [RecordSource] {
    func mayMatter(_ run: FileRun, _ newest: Version) -> Bool {
      newest > version && range.overlaps(run.run.properties.minKey, run.run.properties.maxKey)
    }
    var sources: [RecordSource] = []
    func add(_ runs: [FileRun], _ tier: Tier) {
      guard !runs.isEmpty else { return }
      sources.append(ChainSource(runs[...], tier: tier, isReverse: false, caching: false))
    }
    for run in currentRuns[0] where mayMatter(run, run.run.properties.maxVersion) { add([run], .current) }
    for level in 1..<levels.count {
      add(currentRuns[level].filter { mayMatter($0, $0.run.properties.maxVersion) }, .current)
    }
    let history = allHistory.flatMap(\.runs).filter { mayMatter($0, $0.run.properties.maxEdge) }
    for chain in Self.chains(history) { add(chain, .history) }
    return sources
  }
}
