import Bytes
import Simulation
import Testing

@testable import Node

@Suite("Files that are removed are closed, so that the disk gets its room back")
struct RemovedFileTests {
  private static let late = NodeID(rawValue: 3)

  /// Three nodes whose logs keep little and whose tables are small.
  private static func world(seed: UInt64) throws -> SimulatedWorld {
    var options = NodeOptions()
    options.keptLogBytes = 4 << 10
    options.store.memtableBytes = 8 << 10
    let world = try SimulatedWorld(seed: seed, partitions: 2, options: options)
    for _ in 0..<2 { _ = try world.join() }
    try #require(world.settle())
    return world
  }

  private static func write(_ count: UInt64, from first: UInt64, to world: SimulatedWorld) {
    for id in first..<first + count {
      #expect(world.putAsClient("k\(id % 60)", "\(id) " + String(repeating: "x", count: 2_000), id: id) != nil)
    }
  }

  private static func expectClosed(_ world: SimulatedWorld, _ words: String) {
    world.run(milliseconds: 10_000)
    for (id, host) in world.hosts.sorted(by: { $0.key < $1.key }) {
      #expect(host.disk.openButRemoved.isEmpty, "node \(id), \(words)")
    }
  }

  @Test("where a state takes the place of another", arguments: 1...3 as ClosedRange<UInt64>)
  func replaced(seed: UInt64) throws {
    let world = try Self.world(seed: seed)
    Self.write(60, from: 1, to: world)
    try #require(world.settle())
    Self.expectClosed(world, "before")
    var id: UInt64 = 100
    for round in 1...3 {
      try Self.miss(world, from: id, isRestarted: round != 2)
      Self.expectClosed(world, "after state \(round)")
      Self.write(60, from: id + 60, to: world)
      id += 200
      Self.expectClosed(world, "after writes \(round)")
    }
  }

  @Test("where a state fails to arrive or to be put in force", arguments: 1...3 as ClosedRange<UInt64>)
  func failed(seed: UInt64) throws {
    let world = try Self.world(seed: seed)
    Self.write(60, from: 1, to: world)
    try #require(world.settle())
    world.exit(Self.late)
    Self.write(60, from: 100, to: world)
    try world.start(Self.late)
    let host = try #require(world.hosts[Self.late])
    host.laneDelays[.background] = 200_000_000
    // A table can't be made, then the senders are lost touch with, then the disk is full.
    host.disk.inject(DiskFault(times: 2) { $0.kind == .create && $0.path.hasSuffix(".sst") })
    #expect(world.run(milliseconds: 20_000) { host.disk.faultHits == 2 })
    #expect(world.run(milliseconds: 20_000) { host.node.partitions.contains { $0.isReceiving } })
    Self.separate(world)
    #expect(world.run(milliseconds: 60_000) { host.node.partitions.allSatisfy { !$0.isReceiving } })
    Self.expectClosed(world, "without what had arrived")
    host.disk.inject(
      DiskFault(code: DiskFault.noSpace, times: 2) { $0.kind == .write && $0.path.hasSuffix(".sst") })
    world.mend()
    #expect(world.run(milliseconds: 60_000) { host.disk.faultHits == 4 })
    host.laneDelays[.background] = nil
    host.disk.clearFaults()
    #expect(world.settle())
    Self.expectClosed(world, "after all")
  }

  @Test("where a replica moves away")
  func moved() throws {
    let world = try Self.world(seed: 4)
    Self.write(60, from: 1, to: world)
    world.exit(Self.late)
    try world.start(Self.late)
    try #require(world.settle())
    let held = world.hosts.values.reduce(0) { $0 + $1.node.partitions.count }
    for _ in 0..<2 { _ = try world.join() }
    let isMoved = world.run(milliseconds: 60_000) {
      world.hosts.values.contains { $0.node.partitions.count < 2 && $0.id.rawValue <= 3 }
    }
    #expect(isMoved && world.settle() && held == 6)
    Self.expectClosed(world, "after moves")
  }

  /// Cuts a node off from the others.
  private static func separate(_ world: SimulatedWorld) {
    for other in world.nodes where other != late {
      world.cut(from: other, to: late)
      world.cut(from: late, to: other)
    }
  }

  /// Has a node miss so much that it gets the states of its partitions.
  private static func miss(_ world: SimulatedWorld, from id: UInt64, isRestarted: Bool) throws {
    if isRestarted { world.exit(late) } else { separate(world) }
    write(60, from: id, to: world)
    world.mend()
    try world.start(late)
    let node = try #require(world.hosts[late]?.node)
    var received: Set<GroupID> = []
    let isDone = world.run(milliseconds: 60_000) {
      for partition in node.partitions where partition.isReceiving { received.insert(partition.group) }
      return received.count == 2
    }
    #expect(isDone && world.settle(), "\(received)")
  }
}
