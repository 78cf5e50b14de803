import Bytes
import Environment
import Simulation
import Testing
import Wire

@testable import Node

@Suite("Mending the log of a running node")
struct LogMendingTests {
  /// What becomes of a segment that holds what no table has.
  enum Harm: CaseIterable {
    case flipped, activeFlipped, gone, activeGone

    var isActive: Bool { self == .activeFlipped || self == .activeGone }
    var leavesFile: Bool { self == .flipped || self == .activeFlipped }

    /// Strikes where a value is; gives the file.
    func strike(_ disk: SimulatedDisk, at value: String) throws -> String {
      let bytes = Array(value.utf8)
      for name in try disk.list("/node/log").sorted() {
        let path = "/node/log/\(name)"
        let content = try disk.contents(of: path, limit: 1 << 26)
        guard let place = content.indices.dropLast(bytes.count).first(where: { content[$0...].starts(with: bytes) })
        else { continue }
        if leavesFile { disk.flip(path, at: place) } else { try disk.remove(path) }
        return path
      }
      throw DiskError(operation: "find", path: value, code: 2)
    }
  }

  private static let value = String(repeating: "in the log ", count: 40)

  /// Nodes whose logs hold writes that no table has: in one segment, or in several.
  private func world(_ seed: UInt64, nodes: Int, oneSegment: Bool = true) throws -> SimulatedWorld {
    var options = NodeOptions()
    if !oneSegment { options.log.segmentBytes = .kibibytes(16) }
    let world = try SimulatedWorld(seed: seed, partitions: 2, options: options)
    for _ in 1..<nodes { _ = try world.join() }
    try #require(world.settle(), "seed \(seed): not healthy at the start")
    for id in 1...60 as ClosedRange<UInt64> { #expect(world.put("k\(id)", "\(Self.value)\(id)", id: id) != nil) }
    world.run(milliseconds: 500)
    return world
  }

  /// What one command finds in all partitions.
  private func damage(_ world: SimulatedWorld) -> [WireFileDamage] {
    let round = world.time
    return (1...2).flatMap { world.verify($0, round: round)?.report.replicas.flatMap(\.damage) ?? [] }
  }

  private func expectAll(_ world: SimulatedWorld, _ words: String) {
    for id in 1...60 as ClosedRange<UInt64> { #expect(world.get("k\(id)") == "\(Self.value)\(id)", "\(words): k\(id)") }
  }

  private func restart(_ world: SimulatedWorld, _ id: NodeID) throws {
    world.kill(id)
    try world.start(id)
  }

  @Test("a node that is stopped as soon as the damage is known ends when it is mended")
  func stopped() throws {
    let world = try world(1, nodes: 1)
    let host = try #require(world.hosts.values.first)
    _ = try Harm.flipped.strike(host.disk, at: "\(Self.value)7")
    host.laneDelays[.log] = 300_000_000
    #expect(!damage(world).isEmpty)
    let isUnderWay = host.node.logMending.isUnderWay
    try #require(isUnderWay)
    var hasEnded = false
    host.node.drain { hasEnded = true }
    #expect(world.run(milliseconds: 5_000) { hasEnded })
    let isMended = !host.node.logMending.isUnderWay
    #expect(isMended)
    try restart(world, host.id)
    expectAll(world, "stopped")
  }

  @Test("a node alone tells of the damage once, and loses nothing of what no table had", arguments: Harm.allCases)
  func alone(harm: Harm) throws {
    let world = try world(1, nodes: 1, oneSegment: harm.isActive)
    let host = try #require(world.hosts.values.first)
    let path = try harm.strike(host.disk, at: "\(Self.value)7")
    let found = damage(world)
    #expect(!found.isEmpty && found.allSatisfy { $0.path == path && $0.mendsItself }, "\(found)")
    #expect(world.run(milliseconds: 10_000) { host.node.logMending.problem == nil })
    let report = try #require(world.verify(1)?.report)
    #expect(report.outcomes == [.equal] && damage(world).isEmpty)
    // Deleted, there is nothing to keep.
    #expect(host.disk.exists(path + ".mended") == harm.leavesFile)
    #expect(!host.disk.exists(path))
    try restart(world, host.id)
    expectAll(world, "\(harm)")
    #expect(world.settle() && world.statuses.allSatisfy { $0.damage.isEmpty && $0.problems.isEmpty })
    #expect(damage(world).isEmpty && world.stops.isEmpty)
    #expect(world.put("k1", "after", id: 5_000) != nil)
  }

  @Test("a check that nobody asked for has it mended as well, and then has nothing to tell")
  func unasked() throws {
    var options = NodeOptions()
    options.checkMilliseconds = 4_000
    let world = try SimulatedWorld(seed: 7, partitions: 2, options: options)
    let host = try #require(world.hosts.values.first)
    for id in 1...20 as ClosedRange<UInt64> { #expect(world.put("k\(id)", "\(Self.value)\(id)", id: id) != nil) }
    let path = try Harm.activeFlipped.strike(host.disk, at: "\(Self.value)7")
    #expect(world.run(milliseconds: 60_000) { host.disk.exists(path + ".mended") })
    #expect(host.complaints.contains { $0.contains("the log is damaged") && $0.contains(path) }, "\(host.complaints)")
    world.run(milliseconds: 20_000)
    let status = try #require(world.statuses.first)
    #expect(status.problems.isEmpty && status.groups.allSatisfy { $0.checkOutcome != .damaged })
  }

  @Test("of three nodes one mends its log, and no replica is replaced", arguments: Harm.allCases)
  func three(harm: Harm) throws {
    let world = try world(2, nodes: 3, oneSegment: harm.isActive)
    let host = try #require(world.hosts[NodeID(rawValue: 2)])
    _ = try harm.strike(host.disk, at: "\(Self.value)7")
    let round = world.time
    let (number, report) = try #require(
      [1, 2].compactMap { world.verify($0, round: round) }.first { $0.report.outcomes.contains(.damaged) })
    #expect(report.outcome(on: host.id) == .damaged && report.wrong.isEmpty && report.undecided.isEmpty)
    guard case .repair(let answer)? = world.repair(report.group, number) else {
      Issue.record("the repair was refused")
      return
    }
    #expect(answer.fenced.isEmpty)
    #expect(world.run(milliseconds: 10_000) { host.node.logMending.problem == nil })
    #expect(world.settle() && damage(world).isEmpty)
    let replicas = world.statuses.first { $0.node == 2 }?.groups.map(\.replica)
    try restart(world, host.id)
    #expect(world.settle(), "\(world.statuses.flatMap(\.problems))")
    #expect(world.statuses.first { $0.node == 2 }?.groups.map(\.replica) == replicas && world.stops.isEmpty)
    expectAll(world, "\(harm)")
  }

  @Test("what isn't known to be committed, and can't be flushed, is written anew")
  func uncommitted() throws {
    let world = try world(3, nodes: 3)
    let leader = try #require(world.leader(ofKey: "k1"))
    let host = try #require(world.hosts[leader])
    let others = world.nodes.filter { $0 != leader }
    let group = try #require(host.node.group(of: Array("k1".utf8)))
    // It leads as before, and nobody hears of the next entries.
    for other in others { world.cut(from: leader, to: other) }
    for id in 100...109 as ClosedRange<UInt64> {
      world.send(SimulatedWorld.write("k1", "unheard \(id)", id: id), to: leader) { _ in }
    }
    world.run(milliseconds: 100)
    let replica = try #require(host.node.replicas[group])
    let last = replica.core.lastIndex
    #expect(last > replica.core.commit)
    let path = try Harm.activeFlipped.strike(host.disk, at: "unheard 104")
    // Nothing can be checked without the others, so that the log is read for no partition.
    host.node.logScrubs.begin(1)
    #expect(world.run(milliseconds: 10_000) { host.disk.exists(path + ".mended") })
    for other in others { world.kill(other) }
    try restart(world, leader)
    let restarted = try #require(world.hosts[leader]?.node)
    #expect(world.run(milliseconds: 5_000) { !restarted.isRecollecting })
    #expect(restarted.fencedReplicas.isEmpty && restarted.replicas[group]?.core.lastIndex == last)
    for other in others { try world.start(other) }
    world.mend()
    #expect(world.settle(), "\(world.statuses.flatMap(\.problems))")
    #expect(damage(world).isEmpty)
  }

  @Test("what is kept for a follower that lacks it goes all the same: that gets the whole state")
  func lagging() throws {
    let world = try world(6, nodes: 3)
    let leader = try #require(world.leader(ofKey: "k1"))
    let host = try #require(world.hosts[leader])
    let late = try #require(world.nodes.first { $0 != leader })
    world.kill(late)
    for id in 100...109 as ClosedRange<UInt64> {
      #expect(world.put("k1", "unheard \(id)", id: id) != nil)
    }
    let path = try Harm.activeFlipped.strike(host.disk, at: "unheard 104")
    host.node.logScrubs.begin(1)
    #expect(world.run(milliseconds: 10_000) { host.disk.exists(path + ".mended") })
    try world.start(late)
    #expect(world.settle(), "\(world.statuses.flatMap(\.problems))")
    #expect(damage(world).isEmpty)
    for other in world.nodes where other != late { try restart(world, other) }
    #expect(world.settle() && world.get("k1") == "unheard 109")
  }

  @Test("while the disk has no room for another segment all stays as it is; later it is mended")
  func full() throws {
    let world = try world(4, nodes: 1)
    let host = try #require(world.hosts.values.first)
    let path = try Harm.activeFlipped.strike(host.disk, at: "\(Self.value)7")
    for name in try host.disk.list("/node/log") where "/node/log/\(name)" != path {
      try host.disk.remove("/node/log/\(name)")
    }
    host.disk.inject(
      DiskFault(code: DiskFault.noSpace, times: nil) { $0.kind == .create && $0.path.hasPrefix("/node/log/") })
    #expect(!damage(world).isEmpty)
    world.run(milliseconds: 5_000)
    #expect(!damage(world).isEmpty && host.node.logMending.problem != nil && world.stops.isEmpty)
    expectAll(world, "without room")
    host.disk.clearFaults()
    #expect(world.run(milliseconds: 10_000) { host.node.logMending.problem == nil })
    #expect(damage(world).isEmpty)
    try restart(world, host.id)
    expectAll(world, "after all")
  }

  @Test(
    "whatever is struck of the log of a node alone while it is written to: mended, nothing acknowledged is missing",
    arguments: 1...8 as ClosedRange<UInt64>)
  func underLoad(seed: UInt64) throws {
    var options = NodeOptions()
    options.log.segmentBytes = .kibibytes(16)
    options.store.memtableBytes = 64 << 10
    options.keptLogBytes = 16 << 10
    let world = try SimulatedWorld(seed: seed, partitions: 4, options: options)
    var random = SplitMix64(seed: seed)
    var written: [String: String] = [:]
    var id: UInt64 = 0
    func write(_ count: Int) {
      for _ in 0..<count {
        id += 1
        let (key, value) = ("k\(id % 50)", "\(Self.value)\(id)")
        if world.put(key, value, id: id) != nil { written[key] = value }
      }
    }
    var struck = 0
    for round in 1...4 as ClosedRange<UInt64> {
      let host = try #require(world.hosts.values.first)
      write(60)
      let paths = try host.disk.list("/node/log").map { "/node/log/\($0)" }.filter { host.disk.usedBytes($0) > 0 }
      for _ in 0..<3 {
        let path = try #require(paths.randomElement(using: &random))
        host.disk.flip(path, at: Int.random(in: 0..<host.disk.usedBytes(path), using: &random))
      }
      func isSound(_ number: UInt64) -> Bool {
        world.run(milliseconds: 10_000) { host.node.logScrubs.faults(number, of: .catalog) != nil }
          && host.node.logMending.problem == nil
      }
      if !isSound(2 * round) { struck += 1 }
      write(30)
      #expect(world.run(milliseconds: 20_000) { host.node.logMending.problem == nil }, "seed \(seed) round \(round)")
      #expect(isSound(2 * round + 1), "seed \(seed) round \(round)")
      try restart(world, host.id)
      for (key, value) in written { #expect(world.get(key) == value, "seed \(seed) round \(round): \(key)") }
    }
    #expect(struck > 0 && written.count == 50 && world.stops.isEmpty, "seed \(seed): \(world.stops)")
    // What nobody needs is told of, and no loss.
    let status = try #require(world.statuses.first)
    #expect(status.problems.isEmpty && status.damage.allSatisfy { !$0.contains("affects") }, "seed \(seed): \(status)")
  }

  @Test("a node that ends in the middle of it has lost no more than it had before", arguments: 0..<8)
  func crash(after ticks: Int) throws {
    let world = try world(5, nodes: 3)
    let host = try #require(world.hosts[NodeID(rawValue: 3)])
    host.laneDelays[.flush] = 100_000_000
    _ = try Harm.activeFlipped.strike(host.disk, at: "\(Self.value)7")
    host.node.logScrubs.begin(1)
    world.run(milliseconds: UInt64(ticks) * 60)
    try restart(world, host.id)
    #expect(world.settle(), "\(world.statuses.flatMap(\.problems))")
    expectAll(world, "after \(ticks)")
    #expect(world.stops.isEmpty)
  }
}
