import Bytes
import Environment
import Simulation
import Testing
import Wire

@testable import Node

@Suite("A log that is older than its directory")
struct OlderLogTests {
  private static let nodes = (1...3).map { NodeID(rawValue: $0) }

  private func cluster(_ seed: UInt64) throws -> SimulatedWorld {
    let world = try SimulatedWorld(seed: seed, partitions: 4)
    for _ in 1..<3 { _ = try world.join() }
    try #require(world.settle(), "seed \(seed): not healthy at the start")
    return world
  }

  /// Puts the log of an earlier image of a disk in the place of its present one.
  private func rollBackLog(of disk: SimulatedDisk, to image: SimulatedDisk) throws {
    for name in try disk.list("/node/log") { try disk.remove("/node/log/\(name)") }
    for name in try image.list("/node/log") {
      try disk.replace("/node/log/\(name)", with: try image.contents(of: "/node/log/\(name)", limit: 1 << 26))
    }
  }

  @Test(
    "its replicas take no part, so that nothing older is read though nobody else remembers; all is there once others are",
    arguments: 1...5 as ClosedRange<UInt64>)
  func older(seed: UInt64) throws {
    let world = try cluster(seed)
    for id in 1...40 as ClosedRange<UInt64> { #expect(world.put("k\(id)", "old", id: id) != nil) }
    let image = try #require(world.hosts[Self.nodes[1]]).disk.clone()
    image.crash(seed: seed)
    world.kill(Self.nodes[0])
    for id in 1...40 as ClosedRange<UInt64> { #expect(world.put("k\(id)", "new", id: 100 + id) != nil) }
    // The end of the log is noted once a minute.
    world.run(milliseconds: 70_000)
    let disk = try #require(world.hosts[Self.nodes[1]]).disk
    for node in Self.nodes[1...] { world.kill(node) }
    try rollBackLog(of: disk, to: image)
    for node in Self.nodes[..<2] { try world.start(node) }
    world.run(milliseconds: 10_000)
    let second = try #require(world.hosts[Self.nodes[1]]?.node)
    #expect(second.fences.all.map(\.group) == (0...4).map { GroupID(rawValue: $0) })
    let problem = second.fences.problem(of: GroupID(rawValue: 1))
    #expect(problem?.contains("its log ends before what was durable there") == true, "\(problem ?? "none")")
    for id in 1...40 as ClosedRange<UInt64> { #expect(world.get("k\(id)") != "old") }
    try world.start(Self.nodes[2])
    #expect(world.settle(), "\(world.statuses.flatMap(\.problems))")
    for id in 1...40 as ClosedRange<UInt64> { #expect(world.get("k\(id)") == "new") }
    // What was replaced stays so.
    world.run(milliseconds: 70_000)
    world.kill(Self.nodes[1])
    try world.start(Self.nodes[1])
    #expect(world.settle())
    #expect(world.hosts[Self.nodes[1]]?.node.fences.all.isEmpty == true)
  }

  @Test("a node that is killed again and again, and loses what was not durable, has an older log never")
  func neverByCrashes() throws {
    for seed in 11...16 as ClosedRange<UInt64> {
      let world = try cluster(seed)
      var id: UInt64 = 0
      for round in 1...12 {
        let node = Self.nodes[round % 3]
        for _ in 0..<20 {
          id += 1
          _ = world.put("k\(id % 50)", "v\(id)", id: id)
        }
        world.run(milliseconds: round % 4 == 0 ? 61_000 : 500)
        world.kill(node)
        world.run(milliseconds: 300)
        try world.start(node)
        try #require(world.settle(), "seed \(seed)")
        let fenced = world.hosts.values.flatMap { $0.node.fences.all.map(\.group) }
        #expect(fenced.isEmpty, "seed \(seed), round \(round)")
      }
    }
  }
}
