import Bytes
import Client
import Glibc
import Synchronization
import Testing
import Wire

@testable import Commands

/// Links between nodes that carry less than what is written: leaders stay in office, for what they are kept there by does
/// not wait behind entries.
extension TormentTests {
  @Test("Leaders stay in office while links are full of entries", .timeLimit(.minutes(5)))
  func fullLinks() throws {
    try TormentCluster.run("full links", behindProxies: true) { cluster, report in
      guard let proxies = cluster.proxies else { return }
      let before = try settledTerms(cluster)
      proxies.limit(bytesPerSecond: 2 << 20)
      let writers = try LargeWriters(cluster, count: 12)
      ProcessFacts.sleep(milliseconds: 8_000)
      let during = try terms(cluster)
      writers.stop()
      proxies.limit(bytesPerSecond: nil)
      report.note("\(writers.asked) writes of \(LargeWriters.valueBytes) bytes asked for, \(writers.done) done")
      if writers.done == 0 { report.fail("nothing was written") }
      if during != before { report.fail("leaders changed: terms \(before), then \(during)") }
      try cluster.awaitHealthy()
    }
  }

  /// The groups' terms once leaders are where they are to stay.
  private func settledTerms(_ cluster: TormentCluster) throws -> [UInt32: UInt64] {
    let deadline = ProcessFacts.steadyMilliseconds + TormentCluster.healthMilliseconds
    var found = try terms(cluster)
    while ProcessFacts.steadyMilliseconds < deadline {
      ProcessFacts.sleep(milliseconds: 3_000)
      let later = try terms(cluster)
      if later == found { return found }
      found = later
    }
    throw CommandError.notInTime("leaders go on changing")
  }

  /// The groups' terms.
  private func terms(_ cluster: TormentCluster) throws -> [UInt32: UInt64] {
    var terms: [UInt32: UInt64] = [:]
    for report in try cluster.client().status() {
      for group in report.status?.groups ?? [] { terms[group.group] = max(terms[group.group] ?? 0, group.term) }
    }
    return terms
  }
}

/// Clients that write large values without a pause, each to keys of its own.
private final class LargeWriters: Sendable {
  static let valueBytes = 512 << 10
  private let threads: Mutex<[pthread_t]> = Mutex([])
  private let isStopped = Atomic(false)
  private let counts = Mutex((asked: 0, done: 0))

  init(_ cluster: TormentCluster, count: Int) throws {
    let file = try cluster.file()
    let started = (0..<count).compactMap { number in
      Threads.start { [self] in
        let client = Client(file, timeoutMilliseconds: 5_000)
        var round = 0
        while !isStopped.load(ordering: .acquiring) {
          round += 1
          let value = [UInt8](repeating: UInt8(truncatingIfNeeded: round), count: LargeWriters.valueBytes)
          counts.withLock { $0.asked += 1 }
          if (try? client.put(Key("large/\(number)/\(round)"), value)) != nil { counts.withLock { $0.done += 1 } }
        }
      }
    }
    threads.withLock { $0 = started }
  }

  var asked: Int { counts.withLock { $0.asked } }
  var done: Int { counts.withLock { $0.done } }

  func stop() {
    isStopped.store(true, ordering: .releasing)
    for thread in threads.withLock({ $0 }) { pthread_join(thread, nil) }
  }
}
