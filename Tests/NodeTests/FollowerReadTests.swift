import Bytes
import HashRing
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

  @Test("each of three nodes, left alone, answers a range over all partitions: also over those that it led")
  func leftAlone() throws {
    for index in 0..<3 {
      let world = try world(seed: 5)
      for number: UInt64 in 1...8 { #expect(world.put("k\(number)", "v", id: number) != nil) }
      world.run(milliseconds: 4_000)
      let survivor = world.hosts.keys.sorted()[index]
      for other in world.hosts.keys where other != survivor { world.kill(other) }
      world.run(milliseconds: 6_000)
      let request = WireRequest.with {
        $0.timeoutMs = 3_000
        $0.range = .with {
          $0.groups = [1, 2, 3, 4]
          $0.credit = 1 << 20
        }
      }
      guard case .range(let answer)? = world.ask(request, of: survivor) else {
        Issue.record("node \(survivor) does not answer")
        continue
      }
      #expect(answer.at > 0 && answer.lagMs > 5_000 && !answer.records.isEmpty)
    }
  }

  @Test("what a replica says at its closed version, all say for ever", arguments: 1...2 as ClosedRange<UInt64>)
  func sameForEver(seed: UInt64) throws {
    let world = try world(seed: 10 + seed)
    var random = SplitMix64(seed: seed)
    let keys = (0..<8).map { "k\($0)" }
    var id: UInt64 = 0
    var isOver = false
    func write() {
      guard !isOver else { return }
      id += 1
      let node = NodeID(rawValue: UInt32.random(in: 1...3, using: &random))
      world.send(SimulatedWorld.write(keys[Int(id) % 8], "v\(id)", id: id), to: node) { _ in
        world.after(milliseconds: UInt64.random(in: 0...3, using: &random)) { write() }
      }
    }
    for _ in 0..<12 { write() }
    var said: [(key: String, version: Version, value: String?)] = []
    for _ in 0..<800 {
      let id = NodeID(rawValue: UInt32.random(in: 1...3, using: &random))
      let node = try #require(world.hosts[id]?.node)
      let key = try #require(keys.randomElement(using: &random))
      if let partition = node.partitions.first(where: { $0.owns(Position(of: Key(key))) }),
        partition.closed.version > .zero
      {
        let version = partition.closed.version
        let request = WireGetRequest.with { ($0.key, $0.at) = (.init(key.utf8), version.rawValue) }
        let isAnswered = partition.answers(request) { body in
          guard case .get(let answer) = body else { return }
          said.append((key, version, answer.found ? String(decoding: answer.value, as: UTF8.self) : nil))
        }
        #expect(isAnswered)
      }
      node.closedVersions.wasUsed()
      world.run(milliseconds: UInt64.random(in: 0...8, using: &random))
    }
    isOver = true
    #expect(world.settle())
    #expect(Set(said.map(\.version)).count > 40)
    for (key, version, value) in said {
      #expect(world.get(key, at: version) == value, "seed \(seed): \(key) at \(version)")
    }
  }
}
