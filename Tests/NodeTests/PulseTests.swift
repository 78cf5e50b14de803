import Bytes
import Simulation
import Testing
import Wire

@testable import Node
@testable import Raft

@Suite("Pulses: idle groups cost nothing")
struct PulseTests {
  /// A cluster in which nothing has happened for a while.
  private func idle(seed: UInt64, partitions: Int = 16) throws -> SimulatedWorld {
    let world = try SimulatedWorld(seed: seed, partitions: partitions)
    for _ in 1..<3 { _ = try world.join() }
    try #require(world.settle(), "seed \(seed)")
    for id in 1...50 as ClosedRange<UInt64> { _ = world.put("k\(id)", "v", id: id) }
    // Within a minute the leaders compare the sums of what was written.
    world.run(milliseconds: 75_000)
    return world
  }

  private func messages(_ world: SimulatedWorld) -> UInt64 {
    world.hosts.values.reduce(0) { $0 + $1.node.counters.consensusMessages }
  }

  private func terms(_ world: SimulatedWorld) -> [[UInt64]] {
    world.statuses.map { status in status.groups.map { UInt64($0.group) << 32 | $0.term } }
  }

  @Test("an idle cluster exchanges no heartbeats for a minute, and every leader keeps its lease")
  func silence() throws {
    let world = try idle(seed: 1)
    let (before, terms) = (messages(world), terms(world))
    for _ in 0..<600 {
      world.run(milliseconds: 100)
      for host in world.hosts.values {
        for replica in host.node.replicas.values where replica.leads {
          #expect(replica.core.leaseHolds(now: host.node.now.rawValue), "group \(replica.group) of node \(host.id)")
        }
      }
    }
    // The catalog's floor moves on once a minute; heartbeats of 17 groups would be some 40,000 messages.
    #expect(messages(world) - before < 100)
    #expect(self.terms(world) == terms)
  }

  @Test("reads under a lease wake nobody; a write wakes its own group, and is as fast as ever")
  func reads() throws {
    let world = try idle(seed: 2)
    let before = messages(world)
    let get = WireRequest.with { $0.get = .with { $0.key = .init("k7".utf8) } }
    for _ in 0..<20 {
      guard case .get(let answer)? = world.ask(get) else {
        Issue.record("a read of an idle group failed")
        return
      }
      #expect(answer.found)
    }
    #expect(messages(world) == before)
    let start = world.time
    #expect(world.put("k7", "w", id: 1_000) != nil)
    #expect(world.time - start < 100_000_000)
    world.run(milliseconds: 5_000)
    let awake = messages(world)
    #expect(awake - before < 200, "one group's messages")
    world.run(milliseconds: 5_000)
    #expect(messages(world) == awake)
  }

  @Test("failover is no slower for all that: where a node dies or freezes, its groups have leaders within 3 s")
  func failover() throws {
    for (seed, freezes) in [(3, false), (4, true)] as [(UInt64, Bool)] {
      let world = try idle(seed: seed)
      let victim = NodeID(rawValue: 1)
      if freezes { world.freeze(victim) } else { world.kill(victim) }
      let start = world.time
      let survivors = world.hosts.keys.filter { $0 != victim }
      let isLed = world.run(milliseconds: 10_000) {
        (0...16 as ClosedRange<UInt32>).allSatisfy { group in
          survivors.contains { world.hosts[$0]?.node.leads(GroupID(rawValue: group)) == true }
        }
      }
      #expect(isLed && world.time - start < 3_000_000_000, "\(Double(world.time - start) / 1e9) s, frozen: \(freezes)")
    }
  }

  @Test("where two nodes mean different groups the pulse counts for none; they agree again within a second")
  func unequal() throws {
    let world = try idle(seed: 5)
    let before = terms(world)
    let follower = try #require(world.hosts[NodeID(rawValue: 2)]?.node)
    let replica = try #require(follower.replicas.values.first { $0.core.quiescentLeader != nil })
    let leader = try #require(replica.core.quiescentLeader)
    replica.core.quiescentUntil = nil
    let now = follower.now.rawValue
    guard case .pulse(let answer) = follower.pulses.answer(.with { $0.digest = 1 }, from: .node(leader.node)) else {
      Issue.record("no answer to a pulse")
      return
    }
    #expect(answer.digest != 1 && answer.sentAt == now)
    world.run(milliseconds: 1_000)
    #expect(replica.core.quiescentLeader == leader)
    world.run(milliseconds: 10_000)
    #expect(terms(world) == before)
  }

  @Test("after a connection ended a node is asked anew whether it knows pulses: it may be of an older release")
  func askedAnew() throws {
    let world = try idle(seed: 6)
    let host = try #require(world.hosts[NodeID(rawValue: 1)])
    host.node.pulses.disconnected(NodeID(rawValue: 2))
    #expect(!host.node.pulses.areKnown(to: NodeID(rawValue: 2)))
    world.run(milliseconds: 200)
    #expect(host.node.pulses.areKnown(to: NodeID(rawValue: 2)), "asked once, and then known")
  }

  @Test("clients may not send pulses")
  func clients() throws {
    let world = try SimulatedWorld(seed: 7)
    let answer = world.ask(.with { $0.pulse = WirePulseRequest() })
    #expect(answer?.failure?.code == .refused)
  }
}
