import Bytes
import Simulation
import Testing
import Wire

@testable import Node

@Suite("What the log lets go of")
struct LogBudgetTests {
  @Test("what was applied while a flush was under way stays in the log: no table has it")
  func appliedBehindFlush() throws {
    var options = NodeOptions()
    options.keptLogBytes = 0
    let world = try SimulatedWorld(seed: 1, partitions: 1, options: options)
    let node = NodeID(rawValue: 1)
    let host = try #require(world.hosts[node])
    let partition = try #require(host.node.partitions.first)
    func put(_ ids: ClosedRange<UInt64>) { for id in ids { #expect(world.put("k\(id)", "v\(id)", id: id) != nil) } }
    put(1...20)
    let flushed = partition.flushedIndex
    host.laneDelays[.flush] = 1_000_000_000
    partition.flush()
    put(21...40)
    #expect(partition.flushedIndex == flushed, "the flush is still under way")
    #expect(world.run(milliseconds: 2_000) { partition.flushedIndex > flushed })
    // With it what the log has been told to let go of becomes durable.
    put(41...41)
    world.kill(node)
    try world.start(node)
    let restarted = try #require(world.hosts[node]?.node)
    #expect(!restarted.isRecollecting && restarted.fencedReplicas.isEmpty)
    for id in 1...41 as ClosedRange<UInt64> { #expect(world.get("k\(id)") == "v\(id)") }
  }

  @Test("what is forgotten already isn't told to the log again")
  func onceForgotten() throws {
    var options = NodeOptions()
    options.keptLogBytes = 0
    let world = try SimulatedWorld(seed: 1, partitions: 1, options: options)
    let node = try #require(world.hosts.values.first?.node)
    let partition = try #require(node.partitions.first)
    for id in 1...20 as ClosedRange<UInt64> { #expect(world.put("k\(id)", "v\(id)", id: id) != nil) }
    partition.flush()
    world.run(milliseconds: 1_000)
    let replica = try #require(partition.replica)
    #expect(partition.flushedIndex > .zero && replica.core.firstIndex > partition.flushedIndex)
    let waiting = node.pipeline.waitingCount
    replica.flushed(through: partition.flushedIndex)
    replica.release()
    #expect(node.pipeline.waitingCount == waiting)
  }

  @Test("the catalog, which takes few commands, keeps an eighth of the log's budget at most")
  func catalog() throws {
    let world = try SimulatedWorld(seed: 1, partitions: 1)
    let host = try #require(world.hosts.values.first)
    let large = String(repeating: "x", count: 1 << 20)
    for id in 1...72 as ClosedRange<UInt64> { #expect(world.put("loud", large, id: id) != nil) }
    world.run(milliseconds: 2_000)
    // The segments that the catalog may keep, those of the partition's memtable and of what followers may lack, and
    // the one that is written to.
    let log = host.node.storage.log.statistics
    #expect(log.bytes <= .mebibytes(64), "\(log) after 72 MiB")
    #expect(log.spares > 0)
  }

  @Test("partitions that are filled at one rate are flushed one after the other")
  func staggered() throws {
    var options = NodeOptions()
    options.store.memtableBytes = 64 << 10
    let world = try SimulatedWorld(seed: 1, partitions: 8, options: options)
    let host = try #require(world.hosts.values.first)
    let value = String(repeating: "x", count: 1 << 10)
    var id: UInt64 = 0
    var flushed: [Int] = []
    for _ in 0..<32 {
      for _ in 0..<16 {
        id += 1
        #expect(world.put("key \(id)", value, id: id) != nil)
      }
      flushed.append(host.node.partitions.count { $0.store.progress.flushedBytes > 0 })
    }
    // At one moment it would be none, then nearly all.
    let steps = zip(flushed, flushed.dropFirst()).map { $1 - $0 }
    #expect(steps.allSatisfy { $0 <= 3 } && flushed.last == 8, "\(flushed)")
  }

  @Test("a partition that is written to rarely does not keep the log from letting go of what others have long flushed")
  func quietPartition() throws {
    let world = try SimulatedWorld(seed: 1, partitions: 2)
    for _ in 1..<3 { _ = try world.join() }
    try #require(world.settle())
    let budget = ByteCount.mebibytes(32)
    for host in world.hosts.values { host.node.logBudget = budget }
    // One small write in each partition, then much in the partition of one key.
    for id in 1...20 as ClosedRange<UInt64> { #expect(world.put("quiet\(id)", "v\(id)", id: id) != nil) }
    let large = String(repeating: "x", count: 1 << 20)
    for id in 100..<180 as Range<UInt64> { #expect(world.put("loud", large, id: id) != nil) }
    world.run(milliseconds: 2_000)
    for host in world.hosts.values {
      let log = host.node.storage.log.statistics
      #expect(log.bytes.rawValue <= budget.rawValue + 16 << 20, "node \(host.id) keeps \(log)")
    }
    for node in Array(world.hosts.keys) {
      world.kill(node)
      try world.start(node)
    }
    for id in 1...20 as ClosedRange<UInt64> { #expect(world.get("quiet\(id)") == "v\(id)") }
    #expect(world.get("loud") == large)
  }
}
