import Bytes
import Simulation
import Testing
import Wire

@testable import Node

@Suite("The catalog's voters as nodes come and go")
struct CatalogVotersTests {
  private func cluster(seed: UInt64) throws -> SimulatedWorld {
    let world = try SimulatedWorld(seed: seed, partitions: 4)
    for _ in 1..<5 { _ = try world.join() }
    try #require(world.settle(), "seed \(seed): not healthy at the start")
    return world
  }

  private func voters(_ world: SimulatedWorld) -> [Set<UInt64>] {
    world.statuses.compactMap { $0.groups.first { $0.group == 0 }.map { Set($0.voters) } }
  }

  @Test("five nodes have five; when one leaves, three stay", arguments: 1...5 as ClosedRange<UInt64>)
  func fiveThenThree(seed: UInt64) throws {
    let world = try cluster(seed: seed)
    #expect(voters(world).allSatisfy { $0.count == 5 }, "seed \(seed)")
    let goer = UInt32(seed)
    let other = try #require(world.nodes.first { $0.rawValue != goer })
    guard case .leave? = world.ask(.with { $0.leave = .with { $0.node = goer } }, of: other) else {
      Issue.record("seed \(seed): refused")
      return
    }
    world.run(milliseconds: 120_000) { world.nodes.count == 4 }
    #expect(world.settle(), "seed \(seed)")
    #expect(voters(world).count == 4 && voters(world).allSatisfy { $0.count == 3 }, "seed \(seed)")
  }

  @Test("a cluster of five whose catalog led on a node that dies with another goes on giving versions")
  func outlivesTwo() throws {
    let world = try cluster(seed: 21)
    let leader = try #require(world.leader(of: 0))
    let other = try #require(world.nodes.first { $0 != leader })
    world.kill(leader)
    world.kill(other)
    var version: Version?
    world.run(milliseconds: 30_000) {
      let asked = world.nodes.first { $0 != leader && $0 != other }
      guard case .now(let now)? = world.ask(.with { $0.now = .init() }, of: asked) else { return false }
      version = Version(rawValue: now.version)
      return true
    }
    #expect(version != nil)
  }
}
