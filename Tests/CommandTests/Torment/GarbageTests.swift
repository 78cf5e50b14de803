import Client
import Testing

@testable import Commands

/// Whoever has no certificate gets no work done, and stops nobody else's (DESIGN, promise P5).
extension TormentTests {
  @Test(
    "A port scan of every node neither fails nor holds up a client, and leaves nothing behind", .timeLimit(.minutes(5)))
  func garbage() throws {
    try TormentCluster.run("scan") { cluster, report in
      let table = try PartitionTable(cluster.client())
      let idle = cluster.openDescriptors
      let writers = Writers("scan", count: GarbageTest.clients, patience: [10_000], try cluster.file(), table)
      let registers = Registers(table)
      let clients = try RegisterClients(registers, cluster)
      var history: WriteHistory?
      defer { clients.stop() }
      defer { if history == nil { _ = writers.stop() } }
      ProcessFacts.sleep(milliseconds: GarbageTest.quiet)
      let before = cluster.openDescriptors

      let began = ProcessFacts.steadyNanoseconds
      let scan = PortScan(cluster.nodes.indices.map { cluster.port($0) })
      ProcessFacts.sleep(milliseconds: TormentSettings.scanMilliseconds)
      let during = cluster.openDescriptors
      scan.stop()
      let ended = ProcessFacts.steadyNanoseconds
      let connections = scan.connections
      report.note(
        """
        \(connections.made) connections, \(connections.refused) refused; descriptors: idle \(idle), before \(before), \
        during \(during)
        """
      )
      if connections.made == 0 { report.fail("nothing was scanned") }
      if !zip(before, during).contains(where: { $1 > $0 }) { report.fail("no node has noticed the scan") }

      try cluster.check()
      let whole = writers.stop()
      clients.stop()
      history = whole
      try GarbageTest.awaitDescriptors(cluster, idle, report)
      GarbageTest.judge(whole, from: began, to: ended, report)
      report.note("beside them \(clients.reads.answered) reads, \(clients.reads.failed) not answered in time")
      if clients.reads.failed > 0 { report.fail("\(clients.reads.failed) reads were not answered in time") }
      report.fail(clients.faults)
      let records = try ReadBack(file: cluster.file()).all().filter { !registers.keys.contains($0.key) }
      report.fail(whole.faults(inFinal: records))
    }
  }
}

/// The bounds of the port scan's test, and its judgement.
private enum GarbageTest {
  static let clients = 8
  /// How long clients write before the scan, in milliseconds.
  static let quiet: UInt64 = 2000
  /// The longest that a write may take, in milliseconds: the bound that kills have to keep, too.
  private static let longestWrite: UInt64 = 3000
  /// How long a node may hold connections whose other end is closed, in milliseconds.
  private static let cleaning: UInt64 = 20_000
  /// The descriptors by which a node may have grown for reasons of its own, such as a file. A kind of rubbish that is
  /// never cleaned up leaves more.
  private static let grown = 16

  /// Waits until no node has more descriptors open than it had idle, but for a few.
  static func awaitDescriptors(_ cluster: TormentCluster, _ idle: [Int], _ report: TormentReport) throws {
    let deadline = ProcessFacts.steadyMilliseconds + cleaning
    var now = idle
    repeat {
      try cluster.check()
      now = cluster.openDescriptors
      if zip(idle, now).allSatisfy({ $1 <= $0 + grown }) { return report.note("descriptors \(now) afterwards") }
      ProcessFacts.sleep(milliseconds: 50)
    } while ProcessFacts.steadyMilliseconds < deadline
    report.fail("descriptors of the nodes: \(idle) before all, still \(now) after it")
  }

  /// No write may have failed; of those under way during the scan none may have taken long.
  static func judge(_ history: WriteHistory, from began: UInt64, to ended: UInt64, _ report: TormentReport) {
    report.fail(history.attempts.filter { $0.version == nil }.map { "failed: \($0.words)" })
    let during = history.attempts.filter { $0.answered > began && $0.sent < ended }
    let quiet = history.attempts.filter { $0.answered <= began }
    report.note("before: \(times(quiet)); during: \(times(during))")
    if during.isEmpty { report.fail("nothing was written during the scan") }
    report.fail(during.filter { $0.milliseconds >= longestWrite }.map { "took \($0.milliseconds) ms: \($0.words)" })
  }

  private static func times(_ attempts: [WriteAttempt]) -> String {
    let sorted = attempts.map(\.milliseconds).sorted()
    let part = { (share: Double) in sorted.isEmpty ? 0 : sorted[Int(share * Double(sorted.count - 1))] }
    return "\(sorted.count) writes, p50 \(part(0.5)) ms, p99 \(part(0.99)) ms, longest \(part(1)) ms"
  }
}

extension WriteAttempt {
  /// How long it took.
  fileprivate var milliseconds: UInt64 { (answered - sent) / 1_000_000 }
}
