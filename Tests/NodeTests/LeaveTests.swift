import Bytes
import Simulation
import Testing
import Wire

@testable import Node

@Suite("Nodes that leave, and nodes that are lost")
struct LeaveTests {
  private func cluster(of count: Int, seed: UInt64, partitions: Int = 8) throws -> SimulatedWorld {
    // The partitions stay as many as they are, so that shares are known.
    var options = NodeOptions()
    options.splitBytes = .bytes(0)
    let world = try SimulatedWorld(seed: seed, partitions: partitions, options: options)
    for _ in 1..<count { _ = try world.join() }
    try #require(world.settle(), "seed \(seed): not healthy at the start")
    return world
  }

  private func leave(
    _ world: SimulatedWorld, _ id: UInt32, lost: Bool = false, force: Bool = false, cancel: Bool = false,
    of node: NodeID? = nil
  ) -> WireResponse.OneOf_Body? {
    world.ask(
      .with {
        $0.leave = .with {
          $0.node = id
          $0.isLost = lost
          $0.force = force
          $0.cancel = cancel
        }
      }, of: node)
  }

  private func fill(_ world: SimulatedWorld, _ count: UInt64 = 60) {
    for id in 1...count { #expect(world.put("k\(id)", "v\(id)", id: id) != nil) }
  }

  private func check(_ world: SimulatedWorld, _ words: String, _ count: UInt64 = 60) {
    for id in 1...count { #expect(world.get("k\(id)") == "v\(id)", "\(words): k\(id)") }
  }

  private func counts(_ world: SimulatedWorld) -> [Int] {
    world.statuses.map { $0.groups.count { $0.group > 0 } }
  }

  @Test(
    "a node that leaves gives all away and ends by itself; shares stay even", arguments: 1...6 as ClosedRange<UInt64>)
  func leaves(seed: UInt64) throws {
    let world = try cluster(of: 4, seed: seed)
    fill(world)
    let goer = UInt32(seed % 4) + 1
    let other = try #require(world.nodes.first { $0.rawValue != goer })
    guard case .leave(let answer)? = leave(world, goer, of: other) else {
      Issue.record("seed \(seed): refused")
      return
    }
    #expect(answer.warnings.isEmpty)
    world.run(milliseconds: 60_000) { world.nodes.count == 3 }
    #expect(!world.nodes.contains(NodeID(rawValue: goer)), "seed \(seed): still a member")
    #expect(world.settle(), "seed \(seed)")
    #expect(counts(world) == [8, 8, 8], "seed \(seed)")
    check(world, "seed \(seed)")
    #expect(world.statuses.allSatisfy { $0.members.count == 3 })
    // Asked again, it is known to be gone.
    guard case .leave? = leave(world, goer, of: other) else {
      Issue.record("seed \(seed): asked again, refused")
      return
    }
  }

  @Test(
    "who writes through a node that leaves, after another, waits no longer than for an election",
    arguments: 1...4 as ClosedRange<UInt64>)
  func writesMeanwhile(seed: UInt64) throws {
    let world = try cluster(of: 5, seed: 100 + seed, partitions: 32)
    let (first, second, other) = (NodeID(rawValue: 1), NodeID(rawValue: 2), NodeID(rawValue: 5))
    let big = String(repeating: "x", count: 20_000)
    for id in 1...100 as ClosedRange<UInt64> { #expect(world.put("big\(id)", big, id: id) != nil) }
    guard case .leave? = leave(world, first.rawValue, of: other) else {
      Issue.record("seed \(seed): refused")
      return
    }
    world.run(milliseconds: 60_000) { !world.nodes.contains(first) }
    // Slow enough that it is seen.
    world.hosts[other]?.node.limitMoves(bytesPerSecond: 256 << 10)
    guard case .leave? = leave(world, second.rawValue, of: other) else {
      Issue.record("seed \(seed): refused")
      return
    }
    var (id, longest) = (UInt64(100_000), UInt64(0))
    while world.hosts[second] != nil, world.nodes.contains(second) {
      id += 1
      var request = SimulatedWorld.write("k\(id)", "v", id: id)
      request.timeoutMs = 30_000
      let began = world.time
      var isAnswered = false
      world.send(request, to: second) { _ in isAnswered = true }
      world.run(milliseconds: 40_000) { isAnswered || world.hosts[second] == nil }
      longest = max(longest, world.time - began)
    }
    #expect(id > 100_010 && longest < 2_000_000_000, "seed \(seed): \(longest / 1_000_000) ms")
    #expect(world.settle(), "seed \(seed)")
  }

  @Test("three nodes become two and one; the last can't leave")
  func downToOne() throws {
    let world = try cluster(of: 3, seed: 11)
    fill(world)
    for goer in [3, 2] as [UInt32] {
      guard case .leave(let answer)? = leave(world, goer, of: NodeID(rawValue: 1)) else {
        Issue.record("node \(goer) was refused")
        return
      }
      #expect(answer.warnings.count == 1)
      world.run(milliseconds: 60_000) { world.nodes.count == Int(goer) - 1 }
      #expect(world.settle(), "without node \(goer)")
      check(world, "without node \(goer)")
    }
    #expect(leave(world, 1)?.failure?.code == .refused)
    #expect(leave(world, 7)?.failure?.code == .invalid)
    check(world, "alone")
  }

  @Test("a lost node's replicas are replaced, and it is turned away when it comes back after all")
  func lost() throws {
    for seed in 21...24 as ClosedRange<UInt64> {
      let world = try cluster(of: 4, seed: seed)
      fill(world)
      let victim = NodeID(rawValue: 2)
      #expect(leave(world, 2, lost: true, of: NodeID(rawValue: 1))?.failure?.code == .refused, "it answers")
      world.kill(victim)
      world.run(milliseconds: 4_000)
      guard case .leave? = leave(world, 2, lost: true, of: NodeID(rawValue: 1)) else {
        Issue.record("seed \(seed): refused")
        return
      }
      world.run(milliseconds: 60_000) { world.statuses.allSatisfy { $0.members.count == 3 } }
      #expect(world.settle(), "seed \(seed)")
      #expect(counts(world) == [8, 8, 8], "seed \(seed)")
      check(world, "seed \(seed)")
      try world.start(victim)
      world.run(milliseconds: 5_000) { !world.nodes.contains(victim) }
      #expect(!world.nodes.contains(victim), "seed \(seed): it goes on")
      check(world, "seed \(seed): after its return")
    }
  }

  @Test("a lost node is not waited for while its replicas are replaced", arguments: [25, 26] as [UInt64])
  func lostAtOnce(seed: UInt64) throws {
    let world = try cluster(of: 4, seed: seed, partitions: 32)
    // Not refused, as by a machine that is there: nothing comes back at all.
    for other in world.nodes where other.rawValue != 2 {
      world.cut(from: other, to: NodeID(rawValue: 2))
      world.cut(from: NodeID(rawValue: 2), to: other)
    }
    world.run(milliseconds: 4_000)
    #expect(leave(world, 2, lost: true, of: NodeID(rawValue: 1))?.failure == nil, "seed \(seed)")
    // It had 24 of 96 replicas, and each of three nodes takes one at a time: eight rounds.
    let isReplaced = world.run(milliseconds: 8_000) { world.statuses.filter { $0.members.count == 3 }.count == 3 }
    #expect(isReplaced, "seed \(seed): \(counts(world))")
  }

  @Test("a node that dies while it leaves is replaced all the same, and hears of it when it is back")
  func diesLeaving() throws {
    for seed in 31...34 as ClosedRange<UInt64> {
      let world = try cluster(of: 4, seed: seed)
      fill(world)
      #expect(leave(world, 3, of: NodeID(rawValue: 1))?.failure == nil)
      world.run(milliseconds: seed * 37 % 400)
      world.kill(NodeID(rawValue: 3))
      world.run(milliseconds: 60_000) { world.statuses.allSatisfy { $0.members.count == 3 } }
      #expect(world.settle(), "seed \(seed)")
      try world.start(NodeID(rawValue: 3))
      world.run(milliseconds: 5_000) { world.nodes.count == 3 }
      #expect(world.nodes.count == 3, "seed \(seed)")
      check(world, "seed \(seed)")
    }
  }

  @Test("a node that is leaving may stay after all")
  func stays() throws {
    let world = try cluster(of: 4, seed: 41)
    #expect(leave(world, 4, of: NodeID(rawValue: 1))?.failure == nil)
    #expect(leave(world, 4, cancel: true, of: NodeID(rawValue: 1))?.failure == nil)
    #expect(world.settle())
    #expect(counts(world).sorted() == [6, 6, 6, 6])
  }

  @Test("a directory of a node that left is not opened again")
  func directory() throws {
    let world = try cluster(of: 2, seed: 51)
    let disk = try #require(world.hosts[NodeID(rawValue: 2)]).disk
    #expect(leave(world, 2, of: NodeID(rawValue: 1))?.failure == nil)
    world.run(milliseconds: 30_000) { world.nodes.count == 1 }
    #expect(throws: NodeError.self) { try OpenedDirectory.open("/node", on: disk, cacheBytes: 1 << 20) }
  }
}
