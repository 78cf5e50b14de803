import Bytes
import Client
import Glibc
import Synchronization
import Testing

@testable import Commands

/// A node that stops in mid-stride and goes on later, as a virtual machine does, believes for a moment that it still
/// leads: nobody may get an old value from it (DESIGN, promise P2).
extension TormentTests {
  @Test("A node that was frozen serves no stale read", .timeLimit(.minutes(10)))
  func freezes() throws {
    try TormentCluster.run("freeze") { cluster, report in
      let registers = Registers(try PartitionTable(cluster.client()))
      let clients = try RegisterClients(registers, cluster)
      defer { clients.stop() }
      let test = FreezeTest(cluster: cluster, report: report, clients: clients)
      try test.awaitWrites()
      var left = Array(cluster.nodes.indices)
      while let next = try test.chooseNext(left) {
        left.removeAll { $0 == next }
        try test.freeze(next)
      }
      clients.stop()
      let reads = clients.reads
      report.note(
        "\(reads.answered) reads answered, none stale unless told below; \(reads.failed) not answered in time")
      report.fail(clients.faults)
    }
  }
}

/// The course of the freeze test.
private struct FreezeTest {
  /// How often reads are sent to the frozen node, at equal distances of time.
  private static let rounds: UInt64 = 20
  /// How long clients write and read after a thaw, in milliseconds.
  private static let afterwards: UInt64 = 1000

  let cluster: TormentCluster
  let report: TormentReport
  let clients: RegisterClients

  /// Waits until each register was written.
  func awaitWrites() throws {
    let deadline = ProcessFacts.steadyMilliseconds + TormentCluster.healthMilliseconds
    while clients.registers.keys.indices.contains(where: { clients.registers.floor($0) == 0 }) {
      guard ProcessFacts.steadyMilliseconds < deadline else {
        throw CommandError.notInTime("not all registers written")
      }
      ProcessFacts.sleep(milliseconds: 20)
    }
  }

  /// The catalog's leader, if it is one of these; else any; nil where none is left.
  func chooseNext(_ left: [Int]) throws -> Int? {
    let leaders = try Leaders(cluster.client())
    return left.first { leaders.leadsCatalog(cluster.nodes[$0].pid) } ?? left.first
  }

  /// Freezes a node while clients write and read, and sends it reads that it can answer only after the thaw.
  func freeze(_ node: Int) throws {
    let leaders = try Leaders(cluster.client())
    let pid = cluster.nodes[node].pid
    let groups = leaders.partitions(of: pid)
    let led = try registers(of: groups)
    guard !led.isEmpty else { throw CommandError.notInTime("node \(node + 1) leads no partition") }
    let queue = try QueuedReads(clients, led, file: cluster.file(only: node), whole: cluster.file())
    try queue.send()
    cluster.freeze(node)
    let began = ProcessFacts.steadyNanoseconds
    report.note(
      "froze node \(node + 1): it leads partitions \(groups)\(leaders.leadsCatalog(pid) ? ", and the catalog" : "")")
    for _ in 0..<FreezeTest.rounds {
      ProcessFacts.sleep(milliseconds: TormentSettings.freezeMilliseconds / FreezeTest.rounds)
      try queue.send()
    }
    let ended = ProcessFacts.steadyNanoseconds
    cluster.thaw(node)
    try queue.judge()
    let written = led.map { clients.acknowledged($0, from: began, to: ended) }
    let pause = led.map { clients.longestPause($0, from: began, to: ended) }.max() ?? 0
    report.note(
      """
      thawed: \(written.reduce(0, +)) writes were acknowledged meanwhile in \(written.count { $0 > 0 }) of its \
      \(led.count) partitions, after at most \(pause) ms; of the reads that waited it has answered \(queue.answered), refused \(queue.refused)
      """)
    // Without these the test would find nothing, whatever the node did.
    if written.allSatisfy({ $0 == 0 }) {
      report.fail("no partition of node \(node + 1) was written while it was frozen")
    }
    if queue.answered == 0 { report.fail("node \(node + 1) has answered no read that waited for its thaw") }
    ProcessFacts.sleep(milliseconds: FreezeTest.afterwards)
    try cluster.awaitHealthy()
  }

  /// The registers of these partitions.
  private func registers(of groups: [UInt32]) throws -> [Int] {
    let table = try PartitionTable(cluster.client())
    let keys = clients.registers.keys
    return keys.indices.filter { groups.contains(table.group(of: keys[$0])) }
  }
}
