import Bytes
import Simulation
import Testing
import Wire

@testable import Node

@Suite("Who leads the partitions that have no replica on a node")
struct ForeignLeaderTests {
  private func cluster(_ seed: UInt64) throws -> SimulatedWorld {
    let world = try SimulatedWorld(seed: seed, partitions: 32)
    for _ in 1..<5 { _ = try world.join() }
    try #require(world.settle(milliseconds: 60_000), "seed \(seed)")
    // Partitions split now, and leaderships find their places.
    world.run(milliseconds: 40_000)
    return world
  }

  /// The partitions of which a node's map names another leader than the one that leads.
  private func errors(_ world: SimulatedWorld, on node: NodeID) -> [UInt32] {
    guard case .map(let map)? = world.ask(.with { $0.map = WireMapRequest() }, of: node) else { return [0] }
    return map.partitions.map(\.group).filter { group in
      let named = map.partitions.first { $0.group == group }.map { NodeID(rawValue: $0.leader) }
      return named != world.leader(of: group)
    }
  }

  private func expectTruth(_ world: SimulatedWorld, within milliseconds: UInt64, _ seed: UInt64) {
    // Somebody wants to know, and soon does.
    for node in world.hosts.keys.sorted() { _ = errors(world, on: node) }
    world.run(milliseconds: milliseconds)
    for node in world.hosts.keys.sorted() {
      let wrong = errors(world, on: node)
      #expect(wrong.isEmpty, "seed \(seed): node \(node) is wrong of partitions \(wrong)")
    }
  }

  @Test("each node knows within two seconds, also once one of five is killed", arguments: 1...3 as ClosedRange<UInt64>)
  func killed(seed: UInt64) throws {
    let world = try cluster(seed)
    expectTruth(world, within: 2_000, seed)
    let victim = try #require(world.hosts.keys.sorted().last { $0 != world.leader(of: 0) })
    world.exit(victim)
    world.run(milliseconds: 3_000)
    expectTruth(world, within: 2_000, seed)
  }

  @Test("reads through any node don't wait for the one that was killed", arguments: 11...12 as ClosedRange<UInt64>)
  func reads(seed: UInt64) throws {
    let world = try cluster(seed)
    for id in 1...40 as ClosedRange<UInt64> { #expect(world.put("k\(id)", "v", id: id) != nil) }
    let victim = try #require(world.hosts.keys.sorted().last { $0 != world.leader(of: 0) })
    world.exit(victim)
    world.run(milliseconds: 3_000)
    var slowest: UInt64 = 0
    for node in world.hosts.keys.sorted() {
      for id in 1...40 {
        let began = world.time
        guard case .get? = world.ask(SimulatedWorld.read("k\(id)"), of: node) else {
          Issue.record("seed \(seed): no answer of node \(node)")
          continue
        }
        slowest = max(slowest, (world.time - began) / 1_000_000)
      }
    }
    #expect(slowest < 200, "seed \(seed): \(slowest) ms")
  }

  @Test("a leadership that goes to another node is known as soon")
  func handedOver() throws {
    let world = try cluster(21)
    expectTruth(world, within: 2_000, 21)
    let host = try #require(world.hosts.values.min { $0.id < $1.id })
    host.node.drain {}
    world.run(milliseconds: 1_500)
    world.exit(host.id)
    try world.start(host.id)
    world.run(milliseconds: 500)
    expectTruth(world, within: 2_000, 21)
  }
}
