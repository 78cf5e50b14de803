import Bytes
import Simulation
import Testing
import Wire

@testable import Node

/// Of a write a copy may be on its way yet when another copy finds its condition false: what the client is told then must
/// stay true whichever of them arrives later.
@Suite("Refusals that are recorded")
struct RefusalTests {
  private func cluster(seed: UInt64, format: UInt32 = NodeDirectory.format) throws -> SimulatedWorld {
    var options = NodeOptions()
    options.format = format
    let world = try SimulatedWorld(seed: seed, partitions: 1, options: options)
    for _ in 0..<2 { _ = try world.join() }
    try #require(world.settle())
    return world
  }

  private func settling(_ request: WireRequest) -> WireRequest {
    var request = request
    request.mustSettle()
    return request
  }

  /// What every replica has under a key, through whichever node.
  private func values(_ key: String, _ world: SimulatedWorld) -> [String?] {
    world.hosts.keys.sorted().map { node in
      guard case .get(let answer)? = world.ask(SimulatedWorld.read(key), of: node), answer.found else { return nil }
      return String(decoding: answer.value, as: UTF8.self)
    }
  }

  private func outcomes(_ world: SimulatedWorld) -> Set<Int> {
    Set(world.hosts.values.map { $0.node.partitions.reduce(0) { $0 + $1.sessions.outcomeCount } })
  }

  @Test("no copy of the write is applied after one, though its condition comes true; after restarts neither")
  func condition() throws {
    let world = try cluster(seed: 1)
    let present = try #require(world.ask(SimulatedWorld.write("a", "old", id: 1))?.version)
    let write = SimulatedWorld.write("a", "new", id: 2, condition: .ifAbsent)
    let refusal = world.ask(settling(write))?.failure
    #expect(refusal?.code == .conditionFalse && refusal?.recorded == true)
    #expect(refusal.map { Version(rawValue: $0.version) } == present)
    #expect(world.ask(SimulatedWorld.write("a", nil, id: 3))?.version != nil)
    for node in world.hosts.keys.sorted() {
      #expect(world.ask(write, of: node)?.failure == refusal)
      world.kill(node)
      try world.start(node)
      #expect(world.settle())
    }
    #expect(world.ask(write)?.failure == refusal)
    #expect(values("a", world) == [nil, nil, nil])
    #expect(outcomes(world) == [3])
    // The key is free: nothing but that id is refused.
    #expect(world.ask(SimulatedWorld.write("a", "other", id: 4, condition: .ifAbsent))?.version != nil)
  }

  @Test("a deletion that found nothing deletes nothing later")
  func deletion() throws {
    let world = try cluster(seed: 2)
    let deletion = SimulatedWorld.write("a", nil, id: 1)
    let nothing = WireResponse.OneOf_Body.write(.with { $0.recorded = true })
    #expect(world.ask(settling(deletion)) == nothing)
    #expect(world.ask(SimulatedWorld.write("a", "kept", id: 2))?.version != nil)
    #expect(world.ask(deletion) == nothing)
    #expect(values("a", world) == ["kept", "kept", "kept"])
    // One that had a condition says that this was false.
    let version = Version(rawValue: 5)
    let conditional = SimulatedWorld.write("b", nil, id: 3, condition: .ifVersion, expected: version)
    let answer = world.ask(settling(conditional))?.failure
    #expect(answer?.code == .conditionFalse && answer?.version == 0 && answer?.recorded == true)
    #expect(world.ask(conditional)?.failure == answer)
  }

  @Test("of a batch, names the write whose condition was false")
  func batch() throws {
    let world = try cluster(seed: 3)
    #expect(world.ask(SimulatedWorld.write("b", "old", id: 1))?.version != nil)
    let batch = SimulatedWorld.batch(["a": "1", "b": "1", "c": "1"], id: 2, condition: .ifAbsent)
    let refusal = world.ask(settling(batch))?.failure
    #expect(refusal?.code == .conditionFalse && refusal?.recorded == true && refusal?.write == 2)
    #expect(world.ask(SimulatedWorld.write("b", nil, id: 3))?.version != nil)
    #expect(world.ask(batch)?.failure == refusal)
    #expect(values("a", world) == [nil, nil, nil] && values("c", world) == [nil, nil, nil])
  }

  @Test("what has a version keeps it, and what may be written is written")
  func written() throws {
    let world = try cluster(seed: 4)
    let write = SimulatedWorld.write("a", "1", id: 1, condition: .ifAbsent)
    let version = try #require(world.ask(settling(write))?.version)
    #expect(world.ask(settling(write))?.version == version)
    let deletion = SimulatedWorld.write("a", nil, id: 2)
    let deleted = try #require(world.ask(settling(deletion))?.version)
    #expect(deleted > version && world.ask(settling(deletion))?.version == deleted)
  }

  @Test("without being asked for, or while a member doesn't know them, none is")
  func unrecorded() throws {
    for format in [Refusal.format - 1, Refusal.format] {
      let world = try cluster(seed: 5, format: format)
      #expect(world.ask(SimulatedWorld.write("a", "old", id: 1))?.version != nil)
      let write = SimulatedWorld.write("a", "new", id: 2, condition: .ifAbsent)
      let refusal = world.ask(format == Refusal.format ? write : settling(write))?.failure
      #expect(refusal?.code == .conditionFalse && refusal?.recorded == false)
      world.run(milliseconds: 1_000)
      #expect(outcomes(world) == [1])
      #expect(world.ask(SimulatedWorld.write("a", nil, id: 3))?.version != nil)
      #expect(world.ask(write)?.version != nil)
    }
  }
}
