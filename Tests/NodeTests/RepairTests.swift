import Bytes
import Environment
import Simulation
import Store
import Testing
import Wire

@testable import Node

@Suite("Replacing replicas that are wrong")
struct RepairTests {
  private func cluster(_ seed: UInt64, nodes: Int = 3) throws -> SimulatedWorld {
    let world = try SimulatedWorld(seed: seed, partitions: 2)
    for _ in 1..<nodes { _ = try world.join() }
    try #require(world.settle(), "seed \(seed): not healthy at the start")
    for id in 1...300 as ClosedRange<UInt64> {
      #expect(world.put("k\(id)", String(repeating: "v\(id) ", count: 40), id: id) != nil)
    }
    for host in world.hosts.values { for partition in host.node.partitions { partition.flush() } }
    world.run(milliseconds: 1_000)
    return world
  }

  private func expectAll(_ world: SimulatedWorld) {
    for id in 1...300 as ClosedRange<UInt64> {
      #expect(world.get("k\(id)") == String(repeating: "v\(id) ", count: 40), "k\(id)")
    }
  }

  private func flip(_ world: SimulatedWorld, _ group: UInt32, on id: NodeID, at offset: Int = 3_000) throws -> String {
    let table = try #require(try world.tables(group, on: id).first)
    world.hosts[id]?.disk.flip(table, at: offset)
    return table
  }

  private func mend(_ world: SimulatedWorld, _ group: UInt32, expecting wrong: [NodeID]) throws {
    let (number, report) = try #require(world.verify(group))
    #expect(report.wrongNodes == wrong, "\(report)")
    guard case .repair(let answer)? = world.repair(group, number) else {
      Issue.record("the repair was refused")
      return
    }
    #expect(answer.fenced.map(\.failure) == wrong.map { _ in "" })
    #expect(world.settle(), "\(world.statuses.flatMap(\.problems))")
    let after = try #require(world.verify(group)).report
    #expect(after.outcomes == [.equal] && after.replicas.count == report.replicas.count, "\(after)")
    #expect(Set(after.replicas.map(\.replica)).isDisjoint(with: report.wrong))
    // Another partition may still be damaged.
    let words = world.statuses.flatMap { $0.problems + $0.damage }
    #expect(!words.contains { $0.contains("partition \(group)") || $0.contains("partitions/\(group)/") }, "\(words)")
  }

  @Test("a flipped bit in a block: file, offset and keys are named, the replica replaced, its files kept")
  func block() throws {
    let world = try cluster(1)
    let victim = try #require(world.nodes.first { $0 != world.leader(of: 1) })
    let table = try flip(world, 1, on: victim)
    let report = try #require(world.verify(1)).report
    let damage = try #require(report.replicas.first { $0.outcome == .damaged }?.damage.first)
    #expect(damage.path == table && damage.offset <= 3_000 && damage.concernsRecords)
    #expect(damage.after.lexicographicallyPrecedes(damage.through))
    try mend(world, 1, expecting: [victim])
    #expect(world.hosts[victim]?.disk.exists("/node/partitions/1.damaged.1") == true)
    expectAll(world)
  }

  @Test("a flipped bit in the log of a running node: file and offset are named before it starts again, and mended")
  func log() throws {
    let world = try cluster(12)
    for id in 301...340 as ClosedRange<UInt64> { #expect(world.put("k\(id)", "in the log of \(id)", id: id) != nil) }
    let victim = try #require(world.nodes.first { $0 != world.leader(of: 1) })
    let host = try #require(world.hosts[victim])
    let path = "/node/log/0000000000000001.log"
    let content = try host.disk.contents(of: path, limit: 1 << 26)
    let key = try #require(
      (301...340).first { host.node.group(of: Array("k\($0)".utf8)) == GroupID(rawValue: 1) })
    let value = Array("in the log of \(key)".utf8)
    let place = try #require(
      (0..<content.count - value.count).first { content[$0..<$0 + value.count].elementsEqual(value) })
    host.disk.flip(path, at: place)
    let report = try #require(world.verify(1)).report
    let damage = try #require(report.replicas.first { $0.outcome == .damaged }?.damage.first)
    #expect(damage.path == path && damage.offset <= place && damage.offset > 0)
    #expect(try #require(world.verify(2)).report.outcomes == [.equal], "of the other partition nothing is lost")
    // What it says is in memory: no replica has to be replaced for it.
    #expect(damage.mendsItself && report.wrong.isEmpty && report.undecided.isEmpty)
    #expect(world.settle(), "\(world.statuses.flatMap(\.problems))")
    let after = try #require(world.verify(1)).report
    #expect(after.outcomes == [.equal] && after.replicas.map(\.replica) == report.replicas.map(\.replica), "\(after)")
    world.kill(victim)
    try world.start(victim)
    #expect(world.settle(), "\(world.statuses.flatMap(\.problems))")
    expectAll(world)
    for id in 301...340 as ClosedRange<UInt64> { #expect(world.get("k\(id)") == "in the log of \(id)") }
  }

  @Test("a damaged leader hands over first; while it is replaced writes go on")
  func leader() throws {
    let world = try cluster(2)
    let victim = try #require(world.leader(of: 2))
    _ = try flip(world, 2, on: victim)
    var id: UInt64 = 1_000
    var failures: [String] = []
    var isOver = false
    func write() {
      guard !isOver else { return }
      id += 1
      let node = NodeID(rawValue: UInt32(id % 3 + 1))
      world.send(SimulatedWorld.write("during \(id % 20)", "\(id)", id: id), to: node) {
        if let failure = $0.failure { failures.append(failure.message) }
        // Pauses, so that all replicas can be seen to have applied the same.
        world.after(milliseconds: 5) { write() }
      }
    }
    write()
    world.run(milliseconds: 1_000)
    let (pace, began) = (Double(id - 1_000) / 1_000, world.time)
    id = 10_000
    try mend(world, 2, expecting: [victim])
    isOver = true
    let wanted = pace * Double((world.time - began) / 1_000_000) * 3 / 4
    #expect(
      failures.isEmpty && Double(id - 10_000) >= wanted,
      "of \(id - 10_000) writes, where \(wanted) were due, failed: \(failures)")
    expectAll(world)
  }

  @Test("a table that is gone, cut short, or another's, is mended while the node runs", arguments: [0, 1, 2])
  func tables(kind: Int) throws {
    let world = try cluster(3)
    let victim = try #require(world.nodes.first { $0 != world.leader(of: 1) })
    let disk = try #require(world.hosts[victim]?.disk)
    let table = try #require(try world.tables(1, on: victim).first)
    let other = try #require(try world.tables(2, on: victim).first)
    switch kind {
    case 0: try disk.remove(table)
    case 1: try disk.replace(table, with: Array(try disk.contents(of: table, limit: 1 << 24).dropLast(500)))
    default: try disk.replace(table, with: try disk.contents(of: other, limit: 1 << 24))
    }
    try mend(world, 1, expecting: [victim])
    expectAll(world)
  }

  @Test("a table that is gone when a node starts: the replica is fenced and replaced by itself")
  func goneAtStart() throws {
    let world = try cluster(4)
    let victim = NodeID(rawValue: 2)
    let disk = try #require(world.hosts[victim]?.disk)
    let table = try #require(try world.tables(1, on: victim).first)
    world.kill(victim)
    try disk.remove(table)
    try disk.syncDirectory("/node/partitions/1")
    try world.start(victim)
    #expect(world.settle(), "\(world.statuses.flatMap(\.problems))")
    #expect(try #require(world.verify(1)).report.outcomes == [.equal])
    expectAll(world)
  }

  @Test("a replica that skipped an entry is found by comparing, though its files are sound, and mended")
  func skipped() throws {
    let world = try cluster(5)
    let victim = try #require(world.nodes.first { $0 != world.leader(of: 1) })
    for id in world.nodes where id != victim {
      try #require(world.partition(1, on: id)).store.apply(
        Record(key: Key("skipped"), version: Version(rawValue: 9), value: [1]))
    }
    let report = try #require(world.verify(1)).report
    #expect(report.differences.map { String(decoding: $0.key, as: UTF8.self) } == ["skipped"])
    #expect(report.replicas.allSatisfy { $0.damage.isEmpty })
    try mend(world, 1, expecting: [victim])
  }

  @Test("with a majority damaged nobody is right: nothing is touched, and it says why")
  func undecided() throws {
    let world = try cluster(6)
    for id in world.nodes.prefix(2) { _ = try flip(world, 1, on: id) }
    let (number, report) = try #require(world.verify(1))
    #expect(report.replicas.count { $0.outcome == .damaged } == 2)
    #expect(report.wrong.isEmpty && report.undecided.contains("1 of 3"))
    #expect(world.repair(1, number)?.failure?.code == .refused)
    world.run(milliseconds: 10_000)
    for id in world.nodes {
      let disk = try #require(world.hosts[id]?.disk)
      #expect(!disk.exists("/node/partitions/1.damaged.1") && !disk.exists("/node/partitions/1/FENCED"))
    }
  }

  @Test("the only replica is never fenced")
  func only() throws {
    let world = try cluster(7, nodes: 1)
    _ = try flip(world, 1, on: NodeID(rawValue: 1))
    let report = try #require(world.verify(1)).report
    #expect(report.outcomes == [.damaged] && report.wrong.isEmpty && !report.undecided.isEmpty)
  }

  @Test(
    "a crash at any moment of a repair loses nothing: it goes on, or is done again",
    arguments: [1, 3, 5, 7, 9, 12, 15, 20, 30, 45])
  func crash(moment: Int) throws {
    let world = try cluster(8)
    let victim = try #require(world.nodes.first { $0 != world.leader(of: 1) })
    _ = try flip(world, 1, on: victim)
    let (number, report) = try #require(world.verify(1))
    #expect(report.wrongNodes == [victim])
    let request = WireRequest.with {
      $0.timeoutMs = 30_000
      $0.repair = .with { ($0.group, $0.check) = (1, number) }
    }
    world.send(request, to: try #require(world.leader(of: 1))) { _ in }
    world.run(milliseconds: UInt64(moment * moment))
    world.kill(victim)
    world.run(milliseconds: 500)
    try world.start(victim)
    #expect(world.settle(), "after \(moment * moment) ms: \(world.statuses.flatMap(\.problems))")
    let after = try #require(world.verify(1)).report
    if after.outcomes != [.equal] { try mend(world, 1, expecting: [victim]) }
    expectAll(world)
    let disk = try #require(world.hosts[victim]?.disk)
    #expect(disk.exists("/node/partitions/1.damaged.1"), "after \(moment * moment) ms the files are kept")
  }

  @Test("a replica that a repair said to be fenced is never opened again, however soon its node crashes")
  func mark() throws {
    let world = try cluster(11)
    let victim = try #require(world.nodes.first { $0 != world.leader(of: 1) })
    _ = try flip(world, 1, on: victim)
    let (number, report) = try #require(world.verify(1))
    let wrong = try #require(report.wrong.first)
    guard case .repair(let answer)? = world.repair(1, number), answer.fenced.map(\.failure) == [""] else {
      Issue.record("the repair was refused")
      return
    }
    world.kill(victim)
    try world.start(victim)
    #expect(world.hosts[victim]?.node.replicas[GroupID(rawValue: 1)]?.id.rawValue != wrong)
    #expect(world.settle(), "\(world.statuses.flatMap(\.problems))")
    #expect(try #require(world.verify(1)).report.outcomes == [.equal])
    expectAll(world)
  }

  @Test("a block that the leader can't read does not make reads fail: another leads, and goes on leading")
  func damagedRead() throws {
    let world = try cluster(9)
    let victim = try #require(world.leader(of: 1))
    _ = try flip(world, 1, on: victim)
    // As after a restart: nothing of the block is in memory.
    world.kill(victim)
    try world.start(victim)
    #expect(world.settle())
    world.run(milliseconds: 5_000)
    expectAll(world)
    world.run(milliseconds: 10_000)
    #expect(world.leader(of: 1) != victim)
    let status = try #require(world.statuses.first { $0.node == victim.rawValue })
    let advice = "kv verify --partition 1 says what of them, and how they are mended"
    #expect(status.problems.contains { $0.contains(advice) }, "\(status.problems)")
    try mend(world, 1, expecting: [victim])
    #expect(world.statuses.allSatisfy { $0.problems.allSatisfy { !$0.contains("how they are mended") } })
    expectAll(world)
  }

  @Test("damage that is gone, as where a compaction has replaced the file, is told of until a check has read all files")
  func damageGone() throws {
    let world = try cluster(11)
    let victim = try #require(world.leader(of: 1))
    let table = try flip(world, 1, on: victim)
    _ = try #require(world.verify(1))
    world.run(milliseconds: 2_000)
    func told() -> Bool {
      world.statuses.contains { status in
        status.problems.contains { $0.contains("partition 1") || $0.contains("in tables") } || !status.damage.isEmpty
      }
    }
    #expect(told())
    world.hosts[victim]?.disk.flip(table, at: 3_000)
    #expect(told())
    #expect(try #require(world.verify(1)).report.outcomes == [.equal])
    #expect(!told(), "\(world.statuses.flatMap { $0.problems + $0.damage })")
    // What is damaged anew is told of anew.
    _ = try flip(world, 1, on: victim)
    _ = try #require(world.verify(1))
    world.run(milliseconds: 2_000)
    #expect(told())
  }

  @Test("where no replica can read a block, a read is refused with the reason")
  func damagedEverywhere() throws {
    let world = try cluster(10)
    for id in world.nodes { _ = try flip(world, 1, on: id) }
    for id in world.nodes {
      world.kill(id)
      try world.start(id)
    }
    #expect(world.settle())
    var codes: Set<WireFailure.Code> = []
    for id in 1...300 as ClosedRange<UInt64> {
      if let failure = world.ask(SimulatedWorld.read("k\(id)"))?.failure { codes.insert(failure.code) }
    }
    #expect(codes.contains(.damaged))
    #expect(codes.isSubset(of: [.damaged, .unavailable]))
  }

  @Test(
    "damage of any kinds to a minority of each partition's replicas: found, never read, mended, nothing lost",
    arguments: 1...12 as ClosedRange<UInt64>)
  func combinations(seed: UInt64) throws {
    let world = try cluster(100 + seed)
    var random = SplitMix64(seed: seed)
    var wrong: [UInt32: NodeID] = [:]
    for group in [1, 2] as [UInt32] {
      guard Int.random(in: 0..<4, using: &random) > 0 else { continue }
      let victim = NodeID(rawValue: UInt32.random(in: 1...3, using: &random))
      wrong[group] = victim
      let disk = try #require(world.hosts[victim]?.disk)
      for _ in 0..<Int.random(in: 1...3, using: &random) {
        let table = try #require(try world.tables(group, on: victim).first)
        let bytes = try Int(disk.open(table, .read).size())
        switch Int.random(in: 0..<4, using: &random) {
        case 0:
          let bit = UInt8(1) << UInt8.random(in: 0..<8, using: &random)
          disk.flip(table, at: Int.random(in: 0..<bytes, using: &random), mask: bit)
        case 1:
          let whole = try disk.contents(of: table, limit: 1 << 24)
          try disk.replace(table, with: Array(whole.prefix(Int.random(in: 1...bytes, using: &random))))
        case 2:
          try #require(world.partition(group, on: victim)).store.apply(
            Record(key: Key("made up"), version: Version(rawValue: seed), value: [1]))
        default: disk.flip(table, at: max(0, bytes - Int.random(in: 1...40, using: &random)))
        }
      }
    }
    expectAll(world)
    for group in [1, 2] as [UInt32] {
      if let victim = wrong[group] {
        let report = try #require(world.verify(group)).report
        // Two flips of one bit are none.
        guard report.outcomes != [.equal] else { continue }
        try mend(world, group, expecting: [victim])
      } else {
        #expect(try #require(world.verify(group)).report.outcomes == [.equal], "seed \(seed)")
      }
    }
    expectAll(world)
    #expect(world.stops.isEmpty, "seed \(seed): \(world.stops)")
  }
}
