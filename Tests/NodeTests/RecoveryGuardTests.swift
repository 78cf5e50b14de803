import Bytes
import Environment
import Simulation
import Testing
import Wire

@testable import Node

@Suite("What a recovery keeps from passing for more, or less, than it is")
struct RecoveryGuardTests {
  private static let nodes = (1...3).map { NodeID(rawValue: $0) }

  private func cluster(seed: UInt64) throws -> SimulatedWorld {
    let world = try SimulatedWorld(seed: seed, partitions: 4)
    for _ in 1..<3 { _ = try world.join() }
    try #require(world.settle())
    return world
  }

  private func files(of id: NodeID, in world: SimulatedWorld) throws -> SimulatedDisk {
    try #require(world.hosts[id]).disk
  }

  private func copy(_ source: SimulatedDisk, to target: String, on disk: SimulatedDisk, _ path: String = "/node") throws
  {
    guard let names = try? source.list(path) else {
      return try disk.replace(target, with: source.contents(of: path, limit: 1 << 30))
    }
    try disk.createDirectory(target)
    for name in names { try copy(source, to: "\(target)/\(name)", on: disk, "\(path)/\(name)") }
    try disk.syncDirectory(target)
  }

  private static let gone = GroupID(rawValue: 3)

  /// A node alone, stopped, of which one partition is lost; a key of that, and what its clock showed.
  private func bereft(seed: UInt64) throws -> (world: SimulatedWorld, disk: SimulatedDisk, key: String, wall: UInt64) {
    let world = try SimulatedWorld(seed: seed, partitions: 4)
    let only = Self.nodes[0]
    for id in 1...60 as ClosedRange<UInt64> { try #require(world.put("k\(id)", "v", id: id) != nil) }
    let node = try #require(world.hosts[only]?.node)
    node.partitions.forEach { $0.flush() }
    world.run(milliseconds: 500)
    let key = try #require((1...60).map { "k\($0)" }.first { node.group(of: Array($0.utf8)) == Self.gone })
    let (disk, wall) = (try files(of: only, in: world), node.host.clock.wallMilliseconds)
    world.kill(only)
    disk.flip("/node/partitions/\(Self.gone)/CURRENT", at: 3)
    return (world, disk, key, wall)
  }

  @Test("reads of what was given out before it are refused by a partition that began anew, not answered with nothing")
  func emptiedPast() throws {
    let (world, disk, key, wall) = try bereft(seed: 3)
    // The others went on for a minute more than the survivor knows of.
    let later = wall + 60_000
    try Recovery("/node", without: [Self.gone], on: disk, time: later).apply()
    try world.start(Self.nodes[0])
    try #require(world.settle())
    let first = try #require(world.put("k", "v", id: 100))
    #expect(first > Version(milliseconds: later))
    for time in [later - 59_000, later - 1_000, later] {
      let version = Version(milliseconds: time).rawValue
      let past = world.ask(.with { $0.get = .with { ($0.key, $0.at) = (.init(key.utf8), version) } })
      #expect(past?.failure?.code == .notRetained, "\(time): \(String(describing: past))")
    }
    #expect(world.get(key) == nil)
  }

  @Test("cut off, it goes on with the partitions that were to begin anew, named again or not")
  func cutOff() throws {
    let disk = try bereft(seed: 4).disk
    let whole = disk.clone()
    let uncut = try Recovery("/node", without: [Self.gone], on: whole, time: 7)
    let before = whole.steps
    try uncut.apply()
    var named = 0
    for step in 0..<whole.steps - before {
      let copy = disk.clone()
      let plan = try Recovery("/node", without: [Self.gone], on: copy, time: 7)
      copy.powerOff(afterSteps: step)
      #expect(throws: NodeError.self) { try plan.apply() }
      copy.crash(seed: UInt64(step))
      // Before the mark was durable nothing was begun, and the damage stands in the way as ever.
      guard copy.exists("/node/RECOVERING") else { continue }
      named += 1
      let again = try Recovery("/node", on: copy, time: 8)
      #expect(again.obstacles.isEmpty, "step \(step): \(again.obstacles)")
      try again.apply()
      let done = try Recovery("/node", on: copy, time: 9)
      #expect(done.isDone && done.earlier.last?.emptied == [3], "step \(step)")
    }
    #expect(named > 5)
  }

  @Test("what is damaged in tables is told, and what another directory has of it is taken")
  func damagedTables() throws {
    let world = try cluster(seed: 5)
    let value = String(repeating: "x", count: 2_000)
    for id in 1...80 as ClosedRange<UInt64> { try #require(world.putAsClient("k\(id)", value, id: id) != nil) }
    for host in world.hosts.values { host.node.partitions.forEach { $0.flush() } }
    world.run(milliseconds: 2_000)
    let disks = try Self.nodes.map { try files(of: $0, in: world) }
    for id in Self.nodes { world.kill(id) }
    let disk = disks[1].clone()
    try copy(disks[2], to: "/other", on: disk)
    func damage(_ directory: String) throws {
      let tables = try disk.list("\(directory)/partitions/2").filter { $0.hasSuffix(".sst") }.sorted()
      disk.flip("\(directory)/partitions/2/\(try #require(tables.first))", at: 1_000)
    }
    try damage("/node")
    let alone = try Recovery("/node", on: disk, time: 7)
    #expect(alone.obstacles.count == 1 && alone.obstacles[0].contains("partition 2: /node/partitions/2/"))
    #expect(try Recovery("/node", readsTables: false, on: disk, time: 7).obstacles.isEmpty)
    let lossy = try Recovery("/node", acceptsLoss: true, on: disk, time: 7)
    #expect(lossy.obstacles.isEmpty && lossy.groups.compactMap(\.loss).count == 1)
    for accepts in [false, true] {
      let both = try Recovery("/node", others: ["/other"], acceptsLoss: accepts, on: disk, time: 7)
      #expect(both.obstacles.isEmpty && both.groups.allSatisfy { $0.loss == nil })
      #expect(both.groups.filter { $0.source != Self.nodes[1] }.map { $0.group.rawValue } == [2])
    }
    let damagedBoth = disk.clone()
    try Recovery("/node", others: ["/other"], on: disk, time: 7).apply()
    world.replaceDisk(of: Self.nodes[1], with: disk)
    try world.start(Self.nodes[1])
    try #require(world.settle())
    for id in 1...80 { #expect(world.get("k\(id)") == value) }
    let tables = try damagedBoth.list("/other/partitions/2").filter { $0.hasSuffix(".sst") }.sorted()
    damagedBoth.flip("/other/partitions/2/\(try #require(tables.first))", at: 1_000)
    let neither = try Recovery("/node", others: ["/other"], on: damagedBoth, time: 7)
    #expect(neither.obstacles.count == 1)
  }

  @Test(
    "nodes that were struck out end when they come back beside the one that went on",
    arguments: 1...5 as ClosedRange<UInt64>)
  func struckOut(seed: UInt64) throws {
    let world = try cluster(seed: seed)
    for id in 1...20 as ClosedRange<UInt64> { try #require(world.putAsClient("k\(id)", "old", id: id) != nil) }
    let own = Self.nodes[1]
    let disk = try files(of: own, in: world)
    for id in Self.nodes { world.kill(id) }
    try Recovery("/node", on: disk, time: 7).apply()
    try world.start(own)
    try #require(world.settle())
    for id in 1...20 as ClosedRange<UInt64> { try #require(world.putAsClient("k\(id)", "new", id: 100 + id) != nil) }
    for id in Self.nodes where id != own { try world.start(id) }
    world.run(milliseconds: 5_000)
    #expect(world.hosts.keys.sorted() == [own], "seed \(seed)")
    for id in 1...20 { #expect(world.get("k\(id)") == "new") }
  }

  @Test(
    "a node that was declared lost just when it could not be told ends all the same",
    arguments: 1...5 as ClosedRange<UInt64>)
  func lostUntold(seed: UInt64) throws {
    let world = try cluster(seed: seed)
    let lost = Self.nodes[2]
    for id in Self.nodes where id != lost {
      world.cut(from: id, to: lost)
      world.cut(from: lost, to: id)
    }
    let leave = WireRequest.with {
      $0.timeoutMs = 5_000
      $0.leave = .with { ($0.node, $0.isLost, $0.force) = (lost.rawValue, true, true) }
    }
    _ = world.ask(leave, of: Self.nodes[0])
    world.run(milliseconds: 200)
    world.mend()
    world.run(milliseconds: 20_000)
    #expect(world.hosts[lost] == nil, "seed \(seed)")
    #expect(world.hosts.count == 2, "seed \(seed)")
  }

  @Test(
    "a recovery beside a majority that runs does not end that, which says that there are two",
    arguments: 1...5 as ClosedRange<UInt64>)
  func mistaken(seed: UInt64) throws {
    let world = try cluster(seed: seed)
    let own = Self.nodes[1]
    let disk = try files(of: own, in: world)
    world.kill(own)
    world.run(milliseconds: 5_000)
    try Recovery("/node", on: disk, time: 7).apply()
    try world.start(own)
    world.run(milliseconds: 10_000)
    #expect(world.hosts.count == 3, "seed \(seed)")
    let problems = Self.nodes.filter { $0 != own }.flatMap { world.hosts[$0]?.node.status().problems ?? [] }
    #expect(problems.contains { $0.contains("node 2 refuses this node") }, "seed \(seed): \(problems)")
    #expect(world.putAsClient("k", "v", id: 1) != nil)
    // Nor does it when one of them is restarted, and none leads meanwhile; or both, so that none has heard a leader yet.
    world.kill(Self.nodes[2])
    world.run(milliseconds: 5_000)
    try world.start(Self.nodes[2])
    world.run(milliseconds: 5_000)
    for id in [Self.nodes[0], Self.nodes[2]] { world.kill(id) }
    for id in [Self.nodes[0], Self.nodes[2]] { try world.start(id) }
    world.run(milliseconds: 5_000)
    #expect(world.hosts.count == 3, "seed \(seed)")
    #expect(world.ask(SimulatedWorld.write("k", "w", id: 2), of: Self.nodes[0])?.version != nil, "seed \(seed)")
  }
}
