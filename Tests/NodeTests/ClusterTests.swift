import Bytes
import Simulation
import Testing
import Wire

@testable import Node

@Suite struct ClusterTests {
  private func cluster(of count: Int, seed: UInt64, partitions: Int = 4) throws -> SimulatedWorld {
    let world = try SimulatedWorld(seed: seed, partitions: partitions)
    for _ in 1..<count { _ = try world.join() }
    try #require(world.settle(), "seed \(seed): the cluster did not become healthy")
    return world
  }

  @Test("replicas spread to three nodes, and leaders with them")
  func spread() throws {
    let world = try cluster(of: 3, seed: 1, partitions: 8)
    world.run(milliseconds: 5_000)
    let led = world.statuses.map { status in status.groups.count { $0.role == .leader && $0.group > 0 } }
    #expect(led.reduce(0, +) == 8)
    #expect(led.allSatisfy { (2...3).contains($0) }, "leaders: \(led)")
  }

  @Test("a token is used once")
  func tokenOnce() throws {
    let world = try SimulatedWorld(seed: 2)
    guard case .invite(let invitation)? = world.ask(.with { $0.invite = WireInviteRequest() }) else {
      Issue.record("no invitation")
      return
    }
    func enrol(key: UInt8) -> WireResponse.OneOf_Body? {
      world.ask(
        .with {
          $0.enrol = .with {
            $0.secret = .init(invitation.token.utf8)
            $0.signingRequest = .init([key])
            $0.address = "node:1"
            $0.format = NodeDirectory.format
          }
        }, as: .stranger)
    }
    guard case .enrol(let first)? = enrol(key: 5) else {
      Issue.record("the first enrolment was refused")
      return
    }
    #expect(enrol(key: 6)?.failure?.code == .refused)
    guard case .enrol(let repeated)? = enrol(key: 5) else {
      Issue.record("the same joiner, who lost the first answer, was refused")
      return
    }
    #expect(repeated.node == first.node)
  }

  @Test("a restart over an old catalog file ends no replica")
  func staleCatalogEndsNothing() throws {
    let world = try cluster(of: 3, seed: 3)
    let node = NodeID(rawValue: 3)
    for id in 1...50 as ClosedRange<UInt64> { _ = world.put("k\(id)", "v", id: id) }
    #expect(world.settle())
    let before = try #require(world.statuses.last).groups.map { [$0.replica, $0.applied] }
    world.kill(node)
    try world.start(node)
    let host = try #require(world.hosts[node])
    try #require(world.run(milliseconds: 2_000) { !host.node.isRecollecting })
    let after = try #require(world.statuses.last).groups
    #expect(after.map(\.group).count == before.count)
    for (was, now) in zip(before, after) {
      #expect(now.replica == was[0])
      #expect(now.last >= was[1], "group \(now.group) lost its log")
    }
  }

  @Test("unknown-then-retry: after the leader dies with the answer, the same id is applied once")
  func unknownThenRetry() throws {
    for seed in 1...10 as ClosedRange<UInt64> {
      let world = try cluster(of: 3, seed: seed)
      let leader = try #require(world.leader(ofKey: "k"))
      let other = try #require(world.hosts.keys.filter { $0 != leader }.min())
      let write = SimulatedWorld.write("k", "v", id: 1)
      var lost: WireResponse.OneOf_Body?
      world.send(write, to: leader) { lost = $0 }
      world.run(milliseconds: seed % 3)
      world.kill(leader)
      let version = try #require(world.ask(write, of: other)?.version, "seed \(seed)")
      if let early = lost?.version { #expect(early == version, "seed \(seed)") }
      _ = world.ask(SimulatedWorld.write("k", "later", id: 2), of: other)
      #expect(world.ask(write, of: other)?.version == version, "seed \(seed)")
      try world.start(leader)
      #expect(world.settle(), "seed \(seed)")
      #expect(world.get("k") == "later", "seed \(seed)")
    }
  }

  @Test("frozen-leader: a leader that was stopped past its lease serves no stale read when it goes on")
  func frozenLeader() throws {
    for seed in 1...5 as ClosedRange<UInt64> {
      let world = try cluster(of: 3, seed: seed)
      let leader = try #require(world.leader(ofKey: "k"))
      let other = try #require(world.hosts.keys.filter { $0 != leader }.min())
      #expect(world.ask(SimulatedWorld.write("k", "old", id: 1), of: other)?.version != nil)
      world.freeze(leader)
      var stale: WireResponse.OneOf_Body?
      world.run(milliseconds: 5_000)
      let write = world.ask(SimulatedWorld.write("k", "new", id: 2), of: other)
      #expect(write?.version != nil, "seed \(seed): \(String(describing: write))")
      world.send(SimulatedWorld.read("k"), to: leader) { stale = $0 }
      world.run(milliseconds: 50)
      world.thaw(leader)
      world.run(milliseconds: 9_000) { stale != nil }
      if case .get(let response)? = stale {
        #expect(String(decoding: response.value, as: UTF8.self) == "new", "seed \(seed)")
      }
    }
  }
}

extension SimulatedWorld {
  /// The node that leads the partition of a key.
  func leader(ofKey key: String) -> NodeID? {
    let group = hosts.values.first?.node.catalog.catalog?.map.lookup(Key(key)).group
    return hosts.values.first { host in group.flatMap { host.node.replicas[$0]?.leads } ?? false }?.id
  }
}
