import Bytes
import Environment
import Simulation
import Testing
import Wire

@testable import Node

@Suite("A node that starts from an older copy of its directory")
struct RecollectionTests {
  private static let victim = NodeID(rawValue: 3)
  private static let lagging = NodeID(rawValue: 2)
  private static let witness = NodeID(rawValue: 1)

  private func cluster(_ seed: UInt64) throws -> SimulatedWorld {
    let world = try SimulatedWorld(seed: seed, partitions: 4)
    for _ in 1..<3 { _ = try world.join() }
    try #require(world.settle(), "seed \(seed): not healthy at the start")
    return world
  }

  /// Writes as a client does: what is unknown or unavailable is asked again.
  private func write(
    _ ids: ClosedRange<UInt64>, in world: SimulatedWorld, of node: NodeID
  ) -> [(key: String, value: String, version: Version)] {
    ids.compactMap { id in
      let request = SimulatedWorld.write("k\(id % 40)", "v\(id)", id: id)
      for _ in 0..<20 {
        if let version = world.ask(request, of: node)?.version { return ("k\(id % 40)", "v\(id)", version) }
        world.run(milliseconds: 200)
      }
      return nil
    }
  }

  private func start(_ id: NodeID, in world: SimulatedWorld) throws -> Node {
    try world.start(id)
    let node = try #require(world.hosts[id]?.node)
    try #require(world.run(milliseconds: 2_000) { !node.isRecollecting })
    return node
  }

  /// A copy of a running node's disk, as of a machine that lost power then.
  private func copy(of id: NodeID, in world: SimulatedWorld, seed: UInt64) throws -> SimulatedDisk {
    let copy = try #require(world.hosts[id]).disk.clone()
    copy.crash(seed: seed)
    return copy
  }

  @Test(
    "its replicas that have forgotten something are fenced and replaced, and nothing acknowledged is lost",
    arguments: 1...20 as ClosedRange<UInt64>)
  func older(seed: UInt64) throws {
    let world = try cluster(seed)
    var written = write(1...80, in: world, of: Self.witness)
    let copy = try copy(of: Self.victim, in: world, seed: seed)
    written += write(81...160, in: world, of: Self.witness)
    world.kill(Self.victim)
    world.replaceDisk(of: Self.victim, with: copy)
    let node = try start(Self.victim, in: world)
    #expect(
      node.fencedReplicas.count >= 4 && node.fencedReplicas.allSatisfy { $0.contains("older copy") }, "seed \(seed)")
    written += write(161...200, in: world, of: Self.witness)
    #expect(world.settle(), "seed \(seed): \(world.statuses.flatMap(\.problems))")
    #expect(written.count == 200 && node.fencedReplicas.isEmpty, "seed \(seed)")
    for (key, value, version) in written { #expect(world.get(key, at: version) == value, "seed \(seed)") }
    for group in node.groups where group != .catalog {
      #expect(try #require(world.verify(group.rawValue)).report.outcomes == [.equal], "seed \(seed)")
    }
  }

  @Test(
    "with one that has missed the same it elects no leader: what only the third has is not lost",
    arguments: 1...20 as ClosedRange<UInt64>)
  func twoBehind(seed: UInt64) throws {
    let world = try cluster(seed)
    var written = write(1...40, in: world, of: Self.witness)
    let copy = try copy(of: Self.victim, in: world, seed: seed)
    world.kill(Self.lagging)
    written += write(41...120, in: world, of: Self.witness)
    world.kill(Self.victim)
    world.replaceDisk(of: Self.victim, with: copy)
    _ = try start(Self.victim, in: world)
    world.kill(Self.witness)
    _ = try start(Self.lagging, in: world)
    world.run(milliseconds: 10_000)
    #expect(world.ask(SimulatedWorld.read("k1"), of: Self.lagging)?.failure != nil, "seed \(seed)")
    _ = try start(Self.witness, in: world)
    #expect(world.settle(), "seed \(seed): \(world.statuses.flatMap(\.problems))")
    #expect(written.count == 120, "seed \(seed)")
    for (key, value, version) in written { #expect(world.get(key, at: version) == value, "seed \(seed)") }
  }

  @Test(
    "from before its replicas were replaced: it is found out also by members that were started meanwhile",
    arguments: 1...6 as ClosedRange<UInt64>)
  func replacedSince(seed: UInt64) throws {
    let world = try cluster(seed)
    var written = write(1...40, in: world, of: Self.witness)
    let (copy, later) = try (
      copy(of: Self.victim, in: world, seed: seed), copy(of: Self.victim, in: world, seed: seed)
    )
    written += write(41...80, in: world, of: Self.witness)
    world.kill(Self.victim)
    world.replaceDisk(of: Self.victim, with: copy)
    let node = try start(Self.victim, in: world)
    #expect(node.fencedReplicas.count >= 4 && world.settle(), "seed \(seed): \(world.statuses.flatMap(\.problems))")
    for id in world.nodes { world.kill(id) }
    world.replaceDisk(of: Self.victim, with: later)
    // Those that were started again have heard nothing of the replicas that took the place of the first.
    for id in [Self.witness, Self.lagging] { _ = try start(id, in: world) }
    world.run(milliseconds: 2_000)
    let again = try start(Self.victim, in: world)
    #expect(again.fencedReplicas.count >= 4, "seed \(seed)")
    #expect(world.settle(), "seed \(seed): \(world.statuses.flatMap(\.problems))")
    written += write(81...120, in: world, of: Self.witness)
    #expect(written.count == 120, "seed \(seed)")
    for (key, value, version) in written { #expect(world.get(key, at: version) == value, "seed \(seed)") }
  }

  @Test("and where nobody was there to tell it, it ends once the others are, and is mended when it starts again")
  func toldLater() throws {
    let world = try cluster(9)
    var written = write(1...40, in: world, of: Self.witness)
    let (copy, later) = try (copy(of: Self.victim, in: world, seed: 9), copy(of: Self.victim, in: world, seed: 9))
    written += write(41...80, in: world, of: Self.witness)
    world.kill(Self.victim)
    world.replaceDisk(of: Self.victim, with: copy)
    #expect(try start(Self.victim, in: world).fencedReplicas.count >= 4 && world.settle())
    for id in world.nodes { world.kill(id) }
    world.replaceDisk(of: Self.victim, with: later)
    #expect(try start(Self.victim, in: world).fencedReplicas.isEmpty)
    for id in [Self.witness, Self.lagging] { _ = try start(id, in: world) }
    world.run(milliseconds: 60_000) { !world.stops.isEmpty }
    #expect(world.stops.map(\.node) == [Self.victim] && world.stops[0].reason.contains("older copy"), "\(world.stops)")
    let again = try start(Self.victim, in: world)
    #expect(again.fencedReplicas.count >= 4)
    #expect(world.settle(), "\(world.statuses.flatMap(\.problems))")
    written += write(81...120, in: world, of: Self.witness)
    for (key, value, version) in written { #expect(world.get(key, at: version) == value) }
  }

  @Test("a node that merely restarts waits for nobody in vain, and no longer than a second for those that are down")
  func restart() throws {
    let world = try cluster(5)
    _ = write(1...40, in: world, of: Self.witness)
    for silent in [[], [Self.lagging], [Self.lagging, Self.witness]] {
      for id in silent { world.kill(id) }
      world.kill(Self.victim)
      let began = world.time
      let node = try start(Self.victim, in: world)
      #expect(world.time - began < (silent.isEmpty ? 100_000_000 : 1_200_000_000))
      #expect(node.fencedReplicas.isEmpty && node.groups.count == 5)
      for id in silent { try world.start(id) }
      #expect(world.settle())
    }
  }
}
