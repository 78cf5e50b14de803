import Bytes
import Client
import Testing

@testable import Commands
@testable import Simulation

/// Links between real nodes that carry nothing, both ways or one, while nodes are killed and frozen, and a disk is full,
/// too: what clients were told is held against what the cluster holds, by the checks of the simulator.
extension TormentTests {
  @Test("Histories stay linearizable while links are cut and a disk is full", .timeLimit(.minutes(10)))
  func partitions() throws {
    try TormentCluster.run("partitions", behindProxies: true, withSmallDisk: true) { cluster, report in
      guard let proxies = cluster.proxies else { return }
      let seed = UInt64.random(in: 0...UInt64.max)
      report.note("seed \(seed)")
      let table = try PartitionTable(cluster.client())
      let keys = table.groups.prefix(PartitionedNodes.keys).map { table.key("history/\($0)", in: $0) }
      let clients = try HistoryClients(cluster, keys: keys, count: PartitionedNodes.clients, seed: seed)
      defer { clients.stop() }
      let test = PartitionedNodes(cluster: cluster, proxies: proxies, report: report, clients: clients)
      try test.run(seed)
      clients.stop()
      if proxies.heldBytes == 0 { report.fail("the proxies held nothing up") }
      let record = try clients.record(heldBy: Client(cluster.file(), timeoutMilliseconds: 10_000))
      var check = RecordCheck(record)
      check.run()
      report.fail(record.failures)
      report.note(check.counts.sorted { $0.key < $1.key }.map { "\($0.value) \($0.key)" }.joined(separator: ", "))
      for kind in ["linearized operations", "reads at a version", "acknowledged writes found"]
      where check.counts[kind] ?? 0 == 0 {
        report.fail("no \(kind)")
      }
    }
  }
}

/// The course of the test.
private struct PartitionedNodes {
  static let keys = 6
  static let clients = 6

  /// What is broken, and how.
  private enum Harm: CaseIterable {
    /// One node is alone.
    case alone
    /// One node hears nobody, and is heard.
    case deaf
    /// One node is heard by nobody, and hears.
    case mute
    /// Two nodes hear the third alone, which hears both.
    case bridge
    /// Nobody hears anybody.
    case silence
    /// One node is alone and another is killed, and comes back before the first does.
    case aloneAndKilled
    /// One node is frozen, and alone for a while when it goes on.
    case frozenAndAlone
    /// The disk of one node has no room, and another is killed and comes back meanwhile.
    case fullAndKilled
  }

  let cluster: TormentCluster
  let proxies: LinkProxies
  let report: TormentReport
  let clients: HistoryClients

  /// Does every harm once, to the catalog's leader and to others in turn, and lets the cluster recover after each.
  func run(_ seed: UInt64) throws {
    var random = SplitMix64(seed: seed)
    try awaitWrites("at first")
    for (round, harm) in Harm.allCases.shuffled(using: &random).enumerated() {
      let leaders = try Leaders(cluster.client())
      let nodes = cluster.nodes.indices
      let first = nodes.first { leaders.leadsCatalog(cluster.nodes[$0].pid) } ?? 0
      let victim = round % 2 == 0 ? first : (first + 1) % nodes.count
      let before = clients.acknowledged
      try doHarm(harm, to: victim)
      let during = clients.acknowledged - before
      let name = "node \(victim + 1)\(victim == first ? ", the catalog's leader" : "")"
      report.note("\(harm), \(name): \(during) writes acknowledged meanwhile")
      if harm == .alone, during == 0 { report.fail("a majority took no writes while a node was alone") }
      proxies.heal()
      try cluster.awaitHealthy()
      try awaitWrites("after \(harm)")
    }
  }

  private func doHarm(_ harm: Harm, to victim: Int) throws {
    let others = cluster.nodes.indices.filter { $0 != victim }
    let time = TormentSettings.partitionMilliseconds
    switch harm {
    case .alone: isolate(victim)
    case .deaf: for other in others { proxies.cut(from: other, to: victim) }
    case .mute: for other in others { proxies.cut(from: victim, to: other) }
    case .bridge:
      proxies.cut(from: others[0], to: others[1])
      proxies.cut(from: others[1], to: others[0])
    case .silence: for node in cluster.nodes.indices { isolate(node) }
    case .aloneAndKilled:
      isolate(victim)
      cluster.kill(others[0])
      ProcessFacts.sleep(milliseconds: time / 2)
      try cluster.restart(others[0])
    case .frozenAndAlone:
      cluster.freeze(victim)
      ProcessFacts.sleep(milliseconds: time)
      isolate(victim)
      cluster.thaw(victim)
    case .fullAndKilled:
      guard let disk = cluster.smallDisk else { return report.note("no file system can be mounted here to be filled") }
      disk.fill()
      ProcessFacts.sleep(milliseconds: time)
      cluster.kill(0)
      ProcessFacts.sleep(milliseconds: time / 2)
      try cluster.restart(0)
      ProcessFacts.sleep(milliseconds: time)
      return disk.clear()
    }
    ProcessFacts.sleep(milliseconds: time)
  }

  private func isolate(_ node: Int) {
    for other in cluster.nodes.indices where other != node {
      proxies.cut(from: node, to: other)
      proxies.cut(from: other, to: node)
    }
  }

  private func awaitWrites(_ when: String) throws {
    let (before, began) = (clients.acknowledged, ProcessFacts.steadyMilliseconds)
    while clients.acknowledged == before {
      guard ProcessFacts.steadyMilliseconds < began + TormentCluster.healthMilliseconds else {
        throw CommandError.notInTime("no write is acknowledged \(when)")
      }
      ProcessFacts.sleep(milliseconds: 20)
    }
  }
}
