import Bytes
import Simulation
import Testing
import Wire

@testable import Node

@Suite("Reads of replicas that don't lead")
struct FollowerReadTests {
  private func world(seed: UInt64) throws -> SimulatedWorld {
    let world = try SimulatedWorld(seed: seed, partitions: 4)
    for _ in 1..<3 { _ = try world.join() }
    try #require(world.settle(), "seed \(seed)")
    return world
  }

  private func eventual(_ key: String, maxLag: UInt32 = 0) -> WireRequest {
    .with {
      $0.timeoutMs = 3_000
      $0.get = .with {
        $0.key = .init(key.utf8)
        $0.eventual = true
        $0.maxLagMs = maxLag
      }
    }
  }

  private func get(_ world: SimulatedWorld, _ request: WireRequest, of node: NodeID) -> WireGetResponse? {
    if case .get(let response)? = world.ask(request, of: node) { response } else { nil }
  }

  @Test("a follower answers an eventual read itself, and says how far behind it may be")
  func eventual() throws {
    let world = try world(seed: 1)
    #expect(world.put("k", "v", id: 1) != nil)
    world.run(milliseconds: 3_000)
    let leader = try #require(world.leader(ofKey: "k"))
    for host in world.hosts.values {
      let answer = try #require(get(world, eventual("k"), of: host.id))
      #expect(answer.node == host.id.rawValue && answer.found)
      #expect(host.id == leader ? answer.lagMs < 100 : answer.lagMs > 0 && answer.lagMs < 1_500, "\(answer.lagMs)")
    }
  }

  @Test("a bounded read is the leader's where the follower is too far behind, and the follower's where it isn't")
  func bounded() throws {
    let world = try world(seed: 2)
    #expect(world.put("k", "v", id: 1) != nil)
    world.run(milliseconds: 3_000)
    let leader = try #require(world.leader(ofKey: "k"))
    let follower = try #require(world.hosts.keys.sorted().first { $0 != leader })
    #expect(get(world, eventual("k", maxLag: 1), of: follower)?.node == leader.rawValue)
    #expect(get(world, eventual("k", maxLag: 5_000), of: follower)?.node == follower.rawValue)
  }

  @Test("a follower that is cut off answers with a growing lag, and reads closed versions; nothing newer")
  func cutOff() throws {
    let world = try world(seed: 3)
    let first = try #require(world.put("k", "old", id: 1))
    world.run(milliseconds: 3_000)
    let leader = try #require(world.leader(ofKey: "k"))
    let follower = try #require(world.hosts.keys.sorted().first { $0 != leader })
    for host in world.hosts.keys where host != follower {
      world.cut(from: host, to: follower)
      world.cut(from: follower, to: host)
    }
    let second = try #require(world.ask(SimulatedWorld.write("k", "new", id: 2), of: leader)?.version)
    world.run(milliseconds: 2_000)
    let answer = try #require(get(world, eventual("k"), of: follower))
    #expect(answer.value == .init("old".utf8) && answer.lagMs >= 2_000)
    let at = get(world, SimulatedWorld.read("k", at: first), of: follower)
    #expect(at?.value == .init("old".utf8))
    #expect(get(world, SimulatedWorld.read("k", at: second), of: follower) == nil)
    #expect(get(world, eventual("k", maxLag: 1_000), of: follower) == nil)
  }
}
