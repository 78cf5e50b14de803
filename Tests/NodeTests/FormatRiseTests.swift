import Bytes
import Simulation
import Testing
import Wire

@testable import Node

@Suite("The cluster's format rises when every member supports the next")
struct FormatRiseTests {
  private static let pair: KeyValuePairs = ["a": "1", "b": "2"]

  /// Three nodes of a release that knows format 1 alone, with one partition.
  private func oldCluster(seed: UInt64) throws -> SimulatedWorld {
    var options = NodeOptions()
    options.format = 1
    let world = try SimulatedWorld(seed: seed, partitions: 1, options: options)
    for _ in 0..<2 { _ = try world.join() }
    try #require(world.settle())
    return world
  }

  private func upgrade(_ number: UInt32, of world: SimulatedWorld, to format: UInt32 = 2) throws {
    let id = NodeID(rawValue: number)
    world.formats[id] = format
    world.exit(id)
    try world.start(id)
  }

  private func formats(_ world: SimulatedWorld) -> Set<UInt32> { Set(world.statuses.map(\.format)) }

  private func namedFormat(_ number: UInt32, in world: SimulatedWorld) throws -> String {
    let disk = try #require(world.hosts[NodeID(rawValue: number)]?.disk)
    return String(decoding: try disk.contents(of: "/node/FORMAT", limit: 64), as: UTF8.self)
  }

  @Test("one node after the other is upgraded: the last one lets it rise, and the directories say so")
  func upgrade() throws {
    let world = try oldCluster(seed: 1)
    for number in 1...2 as ClosedRange<UInt32> {
      try upgrade(number, of: world)
      #expect(world.settle())
      world.run(milliseconds: 20_000)
      #expect(formats(world) == [1])
      let failure = try #require(world.ask(SimulatedWorld.batch(Self.pair, id: UInt64(number)))?.failure)
      #expect(failure.code == .refused && failure.message.contains("3 runs an older release"), "\(failure.message)")
      #expect(try namedFormat(number, in: world) == "kv node directory, format 1\n")
      // Unless an old node leads the catalog, which knows no better.
      for note in world.statuses.flatMap({ $0.notes }) { #expect(note.contains("stays 1") && note.contains("3 runs")) }
    }
    try upgrade(3, of: world)
    #expect(world.settle())
    world.run(milliseconds: 20_000) { formats(world) == [2] }
    #expect(formats(world) == [2])
    #expect(world.statuses.allSatisfy { $0.notes.isEmpty })
    #expect(world.ask(SimulatedWorld.batch(Self.pair, id: 9))?.version != nil)
    world.run(milliseconds: 2_000)
    for number in 1...3 as ClosedRange<UInt32> {
      #expect(try namedFormat(number, in: world) == "kv node directory, format 2\n")
    }
  }

  @Test("a member that is down keeps the format from rising: nobody knows which release it comes back with")
  func absentMember() throws {
    let world = try oldCluster(seed: 2)
    for number in 1...2 as ClosedRange<UInt32> { try upgrade(number, of: world) }
    world.exit(NodeID(rawValue: 3))
    world.run(milliseconds: 60_000)
    #expect(formats(world) == [1])
    try upgrade(3, of: world)
    world.run(milliseconds: 20_000) { formats(world) == [2] }
    #expect(formats(world) == [2])
  }

  @Test("after that neither a joiner nor a member of an older release is taken")
  func olderReleases() throws {
    let world = try oldCluster(seed: 3)
    for number in 1...3 as ClosedRange<UInt32> { try upgrade(number, of: world) }
    world.run(milliseconds: 20_000) { formats(world) == [2] }
    #expect(formats(world) == [2])
    #expect(throws: SimulationError.self) { _ = try world.join() }
    try upgrade(2, of: world, to: 1)
    world.run(milliseconds: 2_000) { !world.stops.isEmpty }
    #expect(world.stops.first?.reason.contains("use a newer kv") == true, "\(world.stops)")
  }

  @Test("the catalog refuses a rise that a member was not asked for, and never falls")
  func catalog() throws {
    let first = WireCatalogNode.with {
      $0.id = 1
      $0.format = 1
    }
    var catalog = try Catalog.bootstrap(cluster: "c", partitions: 1, format: 1, authority: [], node: first)
    func raise(to format: UInt32, _ nodes: [UInt32]) -> WireCatalogCommand {
      .with {
        $0.raiseFormat = .with {
          $0.format = format
          $0.nodes = nodes
        }
      }
    }
    #expect(throws: Catalog.Refusal.self) { try catalog.apply(raise(to: 2, [2])) }
    #expect(catalog.format == 1)
    try catalog.apply(raise(to: 2, [1]))
    try catalog.apply(raise(to: 1, [1]))
    #expect(catalog.format == 2)
    try catalog.apply(.with { $0.addToken = .with { $0.hash = .init([7]) } })
    let old = WireCatalogCommand.with {
      $0.addNode = .with {
        $0.id = 2
        $0.format = 1
        $0.token = .init([7])
      }
    }
    #expect(throws: Catalog.Refusal.self) { try catalog.apply(old) }
  }
}
