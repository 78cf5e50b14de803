import Bytes
import Client
import Glibc
import Testing

@testable import Commands

/// `kill -9` under load, against the program as users have it (DESIGN, promises P1, P3 and P6).
extension TormentTests {
  @Test("Nothing acknowledged is lost by kill -9 of leaders, nor of all nodes at once", .timeLimit(.minutes(15)))
  func kills() throws {
    try TormentCluster.run("kill") { cluster, report in
      let table = try PartitionTable(cluster.client())
      let file = try cluster.file()
      let readBack = ReadBack(file: file)

      let first = Writers("first", count: KillTest.clients, file, table)
      do {
        try KillTest(cluster: cluster, report: report, writers: first).killLeaders()
      } catch {
        _ = first.stop()
        throw error
      }
      let ended = ProcessFacts.steadyNanoseconds
      let early = first.stop()
      try cluster.awaitHealthy()
      report.note("healthy; \(KillTest.summary(early))")
      KillTest.judgePauses(early, table, from: first.began, to: ended, report)
      let before = try readBack.all()
      report.fail(early.faults(inFinal: before))

      let second = Writers("second", count: KillTest.clients, file, table)
      do {
        let test = KillTest(cluster: cluster, report: report, writers: second)
        try test.killAll()
        try cluster.awaitHealthy()
        try test.killUnheard()
        try cluster.awaitHealthy()
      } catch {
        _ = second.stop()
        throw error
      }
      let late = second.stop()
      try cluster.awaitHealthy()
      report.note("healthy; \(KillTest.summary(late))")

      let whole = WriteHistory(attempts: early.attempts + late.attempts)
      let after = try readBack.all()
      report.fail(whole.repeatedVersions())
      report.fail(whole.misorderedVersions())
      report.fail(whole.faults(inFinal: after))
      report.fail(KillTest.changedOutcomes(early, before, after))
      report.fail(readBack.faultsAtVersions(whole))
      report.note("read back every acknowledged write at its version")
      report.fail(readBack.faultsOfRetries(whole, before: after))
      report.note("repeated \(whole.unknown.count) writes of unknown outcome; all is as it was")
    }
  }
}

/// The course of the kill test.
private struct KillTest {
  static let clients = 32
  /// The longest that writes may stand still, in milliseconds.
  static let longestPause: UInt64 = 3000
  /// How long a killed node stays away, in milliseconds.
  private static let away: UInt64 = 2000
  /// How long one node goes on unheard by the others before all are killed, in milliseconds.
  private static let unheard: UInt64 = 500
  /// How long clients write before all nodes are killed, and after they acknowledge again, in milliseconds.
  private static let afterwards: UInt64 = 2000

  let cluster: TormentCluster
  let report: TormentReport
  let writers: Writers

  /// Kills the leader of a busy partition again and again, each time of another node while there is one.
  func killLeaders() throws {
    let interval = TormentSettings.killMilliseconds
    var kills = Array(repeating: 0, count: cluster.nodes.count)
    let began = ProcessFacts.steadyMilliseconds
    for number in 0..<max(1, TormentSettings.writeMilliseconds / interval) {
      // Later, if the last victim took longer to come back: two away at once would rightly stop the cluster.
      sleep(until: began + interval / 2 + number * interval)
      let victim = try chooseVictim(kills, preferCatalog: number % 2 == 0)
      kills[victim] += 1
      cluster.kill(victim)
      ProcessFacts.sleep(milliseconds: KillTest.away)
      try cluster.restart(victim)
      try cluster.awaitHealthy()
      report.note("node \(victim + 1) is back, and all is healthy")
    }
    sleep(until: began + TormentSettings.writeMilliseconds)
  }

  /// Kills all nodes at once while clients write, and starts them again.
  func killAll() throws {
    ProcessFacts.sleep(milliseconds: KillTest.afterwards)
    killAtOnce()
    report.note("killed all nodes at once")
    try recover { for index in cluster.nodes.indices { try cluster.restart(index) } }
  }

  /// Kills all nodes at once, one of them in the middle of what the others don't hear any more, and starts the others
  /// first: whatever that one still acknowledged has to be on the disk of another.
  func killUnheard() throws {
    let leaders = try Leaders(cluster.client())
    guard let loner = cluster.nodes.firstIndex(where: { leaders.leadsCatalog($0.pid) }) else {
      throw CommandError.notInTime("the catalog has no leader")
    }
    let others = cluster.nodes.indices.filter { $0 != loner }
    for index in others { cluster.freeze(index) }
    // Less than a lease lasts, so that the loner goes on as far as it may.
    ProcessFacts.sleep(milliseconds: KillTest.unheard)
    killAtOnce()
    report.note("froze all but node \(loner + 1), and killed all \(KillTest.unheard) ms later; it comes back last")
    try recover { for index in others { try cluster.restart(index) } }
    try cluster.restart(loner)
  }

  private func killAtOnce() {
    for node in cluster.nodes { node.signal(SIGKILL) }
    for node in cluster.nodes { node.wait() }
  }

  /// Starts nodes, and waits until writes are acknowledged again.
  private func recover(_ start: () throws -> Void) throws {
    let killed = ProcessFacts.steadyMilliseconds
    let written = writers.counts.values.reduce(0, +)
    if written == 0 { report.fail("nothing was acknowledged before all nodes were killed") }
    try start()
    while writers.counts.values.reduce(0, +) == written {
      guard ProcessFacts.steadyMilliseconds < killed + TormentCluster.healthMilliseconds else {
        throw CommandError.notInTime("nothing is acknowledged after the restart of all nodes")
      }
      ProcessFacts.sleep(milliseconds: 10)
    }
    report.note("acknowledging again \(ProcessFacts.steadyMilliseconds - killed) ms after the kill of all nodes")
    ProcessFacts.sleep(milliseconds: KillTest.afterwards)
  }

  /// The node least often killed of those that lead a partition in which writes are acknowledged right now: the
  /// catalog's leader too, or another one.
  private func chooseVictim(_ kills: [Int], preferCatalog: Bool) throws -> Int {
    let before = writers.counts
    ProcessFacts.sleep(milliseconds: 200)
    let busy = writers.counts.filter { $0.value > before[$0.key] ?? 0 }
    let leaders = try Leaders(cluster.client())
    let candidates = busy.compactMap { group, count in
      cluster.nodes.firstIndex { $0.pid == leaders.processes[group] }.map { (node: $0, group: group, count: count) }
    }
    let rank = { (node: Int) in
      (kills[node], leaders.leadsCatalog(cluster.nodes[node].pid) == preferCatalog ? 0 : 1)
    }
    guard let victim = candidates.min(by: { rank($0.node) < rank($1.node) }) else {
      throw CommandError.notInTime("no partition is written and led")
    }
    let pid = cluster.nodes[victim.node].pid
    report.note(
      """
      kill -9 node \(victim.node + 1): it leads partition \(victim.group), with \(victim.count) writes so far, and \
      \(leaders.partitions(of: pid).count - 1) others\(leaders.leadsCatalog(pid) ? ", and the catalog" : "")
      """)
    return victim.node
  }

  private func sleep(until end: UInt64) {
    let now = ProcessFacts.steadyMilliseconds
    if now < end { ProcessFacts.sleep(milliseconds: end - now) }
  }

  // MARK: Judging

  static func summary(_ history: WriteHistory) -> String {
    let (acknowledged, unknown) = (history.acknowledged.count, history.unknown.count)
    let refused = history.attempts.count - acknowledged - unknown
    return "\(acknowledged) writes acknowledged, \(unknown) of unknown outcome, \(refused) certainly not applied"
  }

  /// Tells the longest pauses and holds them against the bound.
  static func judgePauses(
    _ history: WriteHistory, _ table: PartitionTable, from began: UInt64, to ended: UInt64, _ report: TormentReport
  ) {
    let acknowledged = history.acknowledged
    let overall = WriteHistory.longestPause(acknowledged.map(\.answered), from: began, to: ended)
    let byGroup = Dictionary(grouping: acknowledged) { table.group(of: $0.key) }
    let pauses = table.groups.map { group in
      WriteHistory.longestPause((byGroup[group] ?? []).map(\.answered), from: began, to: ended)
    }
    let listed = zip(table.groups, pauses).map { "\($0): \($1)" }.joined(separator: ", ")
    report.note("longest pause in acknowledged writes: \(overall) ms; by partition, in ms: \(listed)")
    for (group, pause) in zip(table.groups, pauses) where pause >= longestPause {
      report.fail("no write of partition \(group) was acknowledged for \(pause) ms")
    }
    if overall >= longestPause { report.fail("no write was acknowledged for \(overall) ms") }
  }

  /// Writes of unknown outcome that were there and aren't any more, or the other way round, or at another version.
  static func changedOutcomes(_ history: WriteHistory, _ before: [Record], _ after: [Record]) -> [String] {
    let (before, after) = (versions(before), versions(after))
    return history.unknown.filter { $0.isOnly && before[$0.key] != after[$0.key] }.map { attempt in
      "\(attempt.words) was \(shown(before[attempt.key])), and then \(shown(after[attempt.key]))"
    }
  }

  private static func versions(_ records: [Record]) -> [Key: Version] {
    Dictionary(records.map { ($0.key, $0.version) }) { first, _ in first }
  }

  private static func shown(_ version: Version?) -> String { version.map { "at version \($0)" } ?? "absent" }
}
