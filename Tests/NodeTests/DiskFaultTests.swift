import Bytes
import Environment
import Simulation
import Testing

@testable import Node

/// Clients that write and read while disks fill up, refuse writes and lose what they held, over many seeds.
@Suite struct DiskFaultTests {
  @Test(
    "whatever becomes of one disk at a time, no acknowledged write is lost and no read is stale",
    arguments: FaultTests.seeds)
  func disks(seed: UInt64) throws {
    let world = try SimulatedWorld(seed: seed, partitions: 4, reserveBytes: .mebibytes(1))
    for _ in 0..<2 { _ = try world.join() }
    try #require(world.settle(), "seed \(seed): not healthy at the start")
    let clients = (0..<6).map { WorkloadClient(world: world, number: UInt64($0), seed: seed) }
    for client in clients { client.next() }
    var random = SplitMix64(seed: seed)
    for _ in 0..<6 {
      world.run(milliseconds: 2_000)
      let victim = NodeID(rawValue: UInt32.random(in: 1...3, using: &random))
      let disk = try #require(world.hosts[victim]).disk
      switch Int.random(in: 0..<3, using: &random) {
      case 0:
        world.kill(victim)
        try disk.damageLog(&random, times: Int.random(in: 1...4, using: &random))
        world.run(milliseconds: UInt64.random(in: 0...2_000, using: &random))
        try world.start(victim)
      case 1:
        disk.setCapacity(1 << 20)
        world.run(milliseconds: 5_000)
        disk.setCapacity(nil)
      default:
        let suffix = [".sst", ".log", "catalog.tmp"].randomElement(using: &random) ?? ".sst"
        disk.inject(
          DiskFault(code: DiskFault.noSpace, times: 3) {
            [.create, .write].contains($0.kind) && $0.path.hasSuffix(suffix)
          })
        for partition in world.hosts[victim]?.node.partitions ?? [] { partition.flush() }
        world.hosts[victim]?.node.catalog.flush()
        world.run(milliseconds: 1_000)
        disk.clearFaults()
      }
      // Two damaged replicas of one group would leave no majority.
      #expect(world.run(milliseconds: 60_000) { world.isMended }, "seed \(seed): node \(victim) is not mended")
    }
    for client in clients { client.isStopping = true }
    world.run(milliseconds: 12_000)
    #expect(world.settle(), "seed \(seed): not healthy at the end: \(world.statuses.flatMap(\.problems))")
    #expect(world.stops.isEmpty, "seed \(seed): \(world.stops)")
    for client in clients {
      #expect(client.done > 20, "seed \(seed): client \(client.number) did only \(client.done) writes")
      client.checkEnd()
      #expect(client.faults.isEmpty, "seed \(seed): \(client.faults.prefix(3))")
    }
    WorkloadClient.checkOrder(clients, seed: seed)
  }
}

extension SimulatedWorld {
  /// Whether nothing is fenced or full, and every group has all its voters.
  fileprivate var isMended: Bool {
    hosts.values.allSatisfy { host in
      guard let node = host.node else { return false }
      return node.fences.all.isEmpty && !node.space.isFull && node.replicas.count == 5
        && node.replicas.values.allSatisfy { replica in
          let members = replica.core.membership
          return members.voters.count == 3 && members.voters.contains(replica.id)
            && members.voters.allSatisfy { hosts[$0.node]?.node.replicas[replica.group]?.id == $0 }
        }
    }
  }
}

extension SimulatedDisk {
  /// Flips bytes of a node's log within what is surely before its last batch.
  func damageLog(_ random: inout SplitMix64, times: Int) throws {
    let path = "/node/log/" + (try #require(try list("/node/log").first { $0.hasSuffix(".log") }))
    let content = try contents(of: path, limit: 1 << 25)
    let end = try #require(content.lastIndex { $0 != 0 })
    for _ in 0..<times { flip(path, at: Int.random(in: 1024..<max(1025, end * 4 / 5), using: &random), mask: 0x5a) }
  }
}
