import Bytes
import Environment
import HashRing
import Simulation
import Store
import Testing
import Wire

@testable import Node

@Suite("Comparing the replicas of a partition")
struct VerifyTests {
  private func cluster(_ seed: UInt64, nodes: Int = 3, options: NodeOptions = NodeOptions()) throws -> SimulatedWorld {
    let world = try SimulatedWorld(seed: seed, partitions: 2, options: options)
    for _ in 1..<nodes { _ = try world.join() }
    try #require(world.settle(), "seed \(seed): not healthy at the start")
    return world
  }

  private func fill(_ world: SimulatedWorld, _ count: UInt64 = 60) {
    for id in 1...count { #expect(world.put("k\(id)", "value \(id)", id: id) != nil) }
    for host in world.hosts.values { for partition in host.node.partitions { partition.flush() } }
    world.run(milliseconds: 1_000)
  }

  @Test("sound replicas are equal, whichever node is asked")
  func equal() throws {
    let world = try cluster(1)
    fill(world)
    var records: UInt64 = 0
    for id in world.nodes {
      records = 0
      for group in [1, 2] as [UInt32] {
        let report = try #require(world.verify(group, of: id)).report
        #expect(report.outcomes == [.equal] && report.replicas.count == 3)
        #expect(Set(report.replicas.map(\.root)).count == 1 && report.replicas[0].root.count == 32)
        #expect(report.wrong.isEmpty && report.undecided.isEmpty && report.differences.isEmpty)
        records += report.replicas[0].records
      }
    }
    #expect(records == 60)
    world.run(milliseconds: 1_000)
    #expect(world.hosts.values.allSatisfy { $0.node.checks.count == 0 }, "nothing is held afterwards")
  }

  @Test("at a version only what it shows is compared, and one that has left retention is not checked")
  func moment() throws {
    let world = try cluster(12)
    fill(world)
    let odd = try #require(world.nodes.first { $0 != world.leader(of: 1) })
    let partition = try #require(world.partition(1, on: odd))
    let before = partition.lastVersion
    let key = try #require((1...60).map { Key("k\($0)") }.first { partition.owns(Position(of: $0)) })
    let later = try #require(world.put("\(String(decoding: key.bytes, as: UTF8.self))", "new", id: 900))
    // On one replica alone the value that was replaced reads on.
    partition.store.apply(Record(key: key, version: later.advanced(by: 1), value: [1]))
    let whole = try #require(world.verify(1)).report
    #expect(whole.wrongNodes == [odd] && whole.at == 0)
    let then = try #require(world.verify(1, at: before)).report
    #expect(then.outcomes == [.equal] && then.at == before.rawValue && then.replicas.count == 3)
    #expect(try #require(world.verify(1, at: later)).report.outcomes == [.equal])
    world.run(milliseconds: 100)
    let last = try #require(world.put("another", "v", id: 901))
    try #require(last > later.advanced(by: 1))
    let after = try #require(world.verify(1, at: last)).report
    #expect(after.wrongNodes == [odd] && !after.differences.isEmpty)

    // One replica alone has dropped it: the others can't be held against it.
    partition.store.retain(Retention(floor: later, pins: []))
    let gone = try #require(world.verify(1, at: before)).report
    #expect(gone.outcomes == [.notChecked] && gone.replicas.allSatisfy { $0.words.contains("no longer retained") })
    func refusal(_ at: Version) -> WireFailure.Code? {
      let request = WireRequest.with { $0.verify = .with { ($0.group, $0.at) = (1, at.rawValue) } }
      if case .failure(let failure)? = world.ask(request) { return failure.code } else { return nil }
    }
    for id in world.nodes {
      try #require(world.partition(1, on: id)).store.retain(Retention(floor: later, pins: []))
    }
    #expect(refusal(before) == .notRetained)
    #expect(refusal(Version(rawValue: .max - 1)) == .futureVersion)
  }

  @Test("a replica that has forgotten its request ids is named, though it has all records")
  func requestIDs() throws {
    let world = try cluster(10)
    fill(world)
    let odd = try #require(world.nodes.first { $0 != world.leader(of: 1) })
    try #require(world.partition(1, on: odd)).sessions = try SessionTable(decoding: [])
    let report = try #require(world.verify(1)).report
    #expect(report.wrongNodes == [odd])
    #expect(report.outcome(on: odd) == .differs && report.differences.isEmpty)
  }

  @Test("verify-under-load: no false alarm where a partition is split while it is checked")
  func duringSplits() throws {
    let world = try cluster(11)
    fill(world)
    var random = SplitMix64(seed: 11)
    var split = 0
    for _ in 0..<60 {
      guard case .map(let map)? = world.ask(.with { $0.map = WireMapRequest() }) else { continue }
      let part = try #require(map.partitions.randomElement(using: &random))
      let request = WireRequest.with { $0.split = .with { ($0.group, $0.bits) = (part.group, part.bits) } }
      world.send(request, to: NodeID(rawValue: UInt32.random(in: 1...3, using: &random))) { _ in }
      world.run(milliseconds: UInt64.random(in: 0...8, using: &random))
      guard let report = world.verify(part.group)?.report else { continue }
      #expect(report.outcomes.isSubset(of: [.equal, .notChecked]), "\(report.replicas)")
      split = map.partitions.count
    }
    #expect(split > 20)
  }

  @Test("where leadership goes before anything is compared the report says so, and the next check is whole")
  func duringHandovers() throws {
    let world = try cluster(12)
    fill(world)
    var lost = 0
    for _ in 0..<40 {
      let leader = try #require(world.leader(of: 1))
      let replica = try #require(world.hosts[leader]?.node.replicas[GroupID(rawValue: 1)])
      let other = try #require(replica.core.membership.voters.first { $0 != replica.id })
      replica.transferLeadership(to: other)
      if let report = world.verify(1, of: leader)?.report {
        if report.leaderChanged { lost += 1 }
        #expect(report.outcomes.isSubset(of: report.leaderChanged ? [.notChecked] : [.equal, .notChecked]))
      }
      #expect(world.settle())
      #expect(world.verify(1)?.report.outcomes == [.equal])
    }
    #expect(lost > 0)
  }

  @Test("leaders compare by themselves, and say what came of it in their status")
  func background() throws {
    var options = NodeOptions()
    options.checkMilliseconds = 20_000
    let world = try cluster(9, options: options)
    fill(world)
    func checked() -> [WireStatusResponse.GroupStatus] {
      world.statuses.flatMap(\.groups).filter { $0.role == .leader && $0.group > 0 }
    }
    world.run(milliseconds: 60_000)
    #expect(checked().allSatisfy { $0.checkedMs > 1_700_000_000_000 && $0.checkOutcome == .equal })
    let odd = try #require(world.nodes.first { $0 != world.leader(of: 1) })
    try #require(world.partition(1, on: odd)).store.apply(
      Record(key: Key("extra"), version: Version(rawValue: 5), value: [1]))
    world.run(milliseconds: 60_000)
    #expect(checked().first { $0.group == 1 }?.checkOutcome == .differs)
    let problems = world.statuses.flatMap(\.problems)
    #expect(problems.contains { $0.contains("kv verify --partition 1") })
  }

  @Test("soon after a write leaders compare sums, and where they differ all of the partition is read")
  func backgroundSums() throws {
    let world = try cluster(10)
    fill(world)
    var reports: [WireCheckReport] = []
    for host in world.hosts.values { host.node.onCheck = { reports.append($0) } }
    func write(_ first: UInt64) {
      for id in first...first + 40 { #expect(world.put("k\(id)", "v", id: id) != nil) }
      reports = []
      world.run(milliseconds: 70_000)
    }
    write(100)
    #expect(reports.allSatisfy { $0.quick && $0.outcomes == [.equal] })
    #expect(Set(reports.map(\.group)) == [1, 2])
    reports = []
    world.run(milliseconds: 130_000)
    #expect(reports.isEmpty, "nothing was written")
    let odd = try #require(world.nodes.first { $0 != world.leader(of: 1) })
    try #require(world.partition(1, on: odd)).store.apply(
      Record(key: Key("extra"), version: Version(rawValue: 5), value: [1]))
    write(200)
    let found = reports.filter { $0.group == 1 }
    try #require(found.prefix(2).map(\.quick) == [true, false])
    #expect(found[1].differences.map { Key($0.key.array) } == [Key("extra")])
    #expect(reports.filter { $0.group == 2 }.allSatisfy { $0.quick && $0.outcomes == [.equal] })
    write(300)
    #expect(reports.contains { $0.group == 1 } && reports.allSatisfy { $0.quick }, "it is not read again at once")
  }

  @Test("who asks after a check is answered when it is done, and within his time")
  func answers() throws {
    let world = try cluster(11)
    fill(world, 600)
    let leader = try #require(world.leader(of: 1))
    func ask(_ check: UInt64, timeout: UInt32, rate: UInt64 = 0) -> (WireVerifyResponse, UInt64)? {
      let request = WireRequest.with {
        $0.timeoutMs = timeout
        $0.verify = .with { ($0.group, $0.check, $0.rate) = (1, check, rate) }
      }
      let start = world.time
      guard case .verify(let answer)? = world.ask(request, of: leader) else { return nil }
      return (answer, (world.time - start) / 1_000_000)
    }
    let begun = try #require(ask(0, timeout: 5_000)).0.check
    let (answer, taken) = try #require(ask(begun, timeout: 5_000))
    #expect(answer.done && answer.report.outcomes == [.equal] && taken < 200)
    let second = try #require(ask(0, timeout: 5_000, rate: 1)).0.check
    let (early, short) = try #require(ask(second, timeout: 100))
    #expect(!early.done && short < 100)
    let (later, long) = try #require(ask(second, timeout: 5_000))
    #expect(!later.done && (150...300).contains(long))
  }

  @Test("quick sums agree, after restarts too, and show a write that one replica alone has")
  func quick() throws {
    let world = try cluster(8)
    fill(world)
    for id in 100...140 as ClosedRange<UInt64> {
      #expect(world.put("k\(id % 7)", id % 5 == 0 ? nil : "v", id: id) != nil)
    }
    for id in world.nodes {
      world.kill(id)
      try world.start(id)
      #expect(world.settle())
    }
    for group in [1, 2] as [UInt32] {
      let report = try #require(world.verify(group, quick: true)).report
      #expect(report.outcomes == [.equal] && report.replicas.count == 3 && report.quick)
    }
    let odd = try #require(world.nodes.first { $0 != world.leader(of: 1) })
    try #require(world.partition(1, on: odd)).store.apply(
      Record(key: Key("extra"), version: Version(rawValue: 5), value: [1]))
    let report = try #require(world.verify(1, quick: true)).report
    #expect(report.outcome(on: odd) == .differs && report.wrongNodes == [odd])
    #expect(world.hosts.values.allSatisfy { $0.node.checks.count == 0 })
  }

  @Test("what is asked of no partition, or by whom it may not be, is refused")
  func refused() throws {
    let world = try cluster(2, nodes: 1)
    let request = WireRequest.with { $0.verify = .with { $0.group = 9 } }
    #expect(world.ask(request)?.failure?.code == .invalid)
    let step = WireRequest.with { $0.check = .with { $0.step = .fence } }
    #expect(world.ask(step)?.failure?.code == .refused)
    let repair = WireRequest.with { $0.repair = .with { $0.group = 1 } }
    let writer = Caller.client(canWrite: true, canAdminister: false)
    #expect(world.ask(repair, of: nil, as: writer)?.failure?.code == .refused)
    #expect(world.ask(repair)?.failure?.code == .unavailable)
    let unknown = UInt64(1) << 32 | 77
    let lost = WireRequest.with { $0.repair = .with { ($0.group, $0.check) = (1, unknown) } }
    #expect(world.ask(lost)?.failure?.message.contains("verify again") == true)
    #expect(world.ask(.with { $0.verify = .with { ($0.group, $0.check) = (1, unknown) } })?.failure == nil)
  }

  @Test("a node that does not answer makes its replica one that could not be checked, and no more")
  func down() throws {
    let world = try cluster(3)
    fill(world)
    let victim = NodeID(rawValue: 3)
    world.kill(victim)
    world.run(milliseconds: 5_000)
    let report = try #require(world.verify(1, of: NodeID(rawValue: 1))).report
    #expect(report.outcome(on: victim) == .notChecked)
    #expect(report.replicas.count { $0.outcome == .equal } == 2)
    #expect(report.wrong.isEmpty && report.undecided.isEmpty)
    #expect(report.replicas.first { $0.outcome == .notChecked }?.words.isEmpty == false)
  }

  @Test("a record that one replica alone has, or lacks, or has otherwise, is named with what each holds")
  func records() throws {
    let world = try cluster(4)
    fill(world, 400)
    let odd = try #require(world.nodes.first { $0 != world.leader(of: 1) })
    let others = world.nodes.filter { $0 != odd }
    func put(_ key: String, _ value: String, on nodes: [NodeID]) throws {
      for id in nodes {
        let partition = try #require(world.partition(1, on: id))
        partition.store.apply(
          Record(key: Key(key), version: Version(rawValue: 5), value: Array(value.utf8)))
      }
    }
    try put("extra", "e", on: [odd])
    try put("missing", "m", on: others)
    try put("other", "right", on: others)
    try put("other", "wrong!", on: [odd])
    let report = try #require(world.verify(1)).report
    #expect(report.wrongNodes == [odd])
    #expect(report.outcome(on: odd) == .differs && others.allSatisfy { report.outcome(on: $0) == .equal })
    #expect(report.differences.map { String(decoding: $0.key, as: UTF8.self) } == ["extra", "missing", "other"])
    func held(_ key: String, by id: NodeID) -> WireRecordDifference.Held? {
      report.differences.first { $0.key == .init(key.utf8) }?.held.first { ReplicaID(rawValue: $0.replica).node == id }
    }
    #expect(held("extra", by: odd)?.present == true && held("extra", by: others[0])?.present == false)
    #expect(held("missing", by: odd)?.present == false && held("missing", by: others[1])?.present == true)
    #expect(held("other", by: odd)?.valueBytes == 6 && held("other", by: others[0])?.valueBytes == 5)
    #expect(held("other", by: odd)?.digest != held("other", by: others[0])?.digest)
    #expect(held("other", by: others[1])?.digest == held("other", by: others[0])?.digest)
    #expect(report.exchangedBytes > 0 && report.exchangedBytes < 64 << 10, "\(report.exchangedBytes)")
    let part = try #require(world.verify(1, prefix: "k")).report
    #expect(part.outcomes == [.equal], "with a prefix only its keys count")
  }

  @Test("more differences than fit in one answer come part by part")
  func manyRecords() throws {
    let world = try cluster(5)
    let odd = try #require(world.nodes.first { $0 != world.leader(of: 1) })
    let partition = try #require(world.partition(1, on: odd))
    for number in 1...700 as ClosedRange<UInt64> {
      // So that they share few slices.
      partition.store.apply(Record(key: Key("same"), version: Version(rawValue: number), value: [1]))
      if number % 10 == 0 {
        partition.store.apply(Record(key: Key("k\(number)"), version: Version(rawValue: number), value: [1]))
      }
    }
    let report = try #require(world.verify(1)).report
    #expect(report.wrongNodes == [odd])
    #expect(report.differences.count { $0.key == .init("same".utf8) } == 700)
    #expect(report.moreDifferences || report.differences.count == 770)
  }

  @Test(
    "verify-under-load: no false alarm while writes, deletions, flushes, compactions, expiry and moves go on",
    arguments: 1...8 as ClosedRange<UInt64>)
  func noFalseAlarm(seed: UInt64) throws {
    var options = NodeOptions()
    options.store.memtableBytes = 6_000
    options.store.levelBaseBytes = 20_000
    options.store.targetFileBytes = 8_000
    options.store.level0Files = 2
    let world = try cluster(seed, options: options)
    for host in world.hosts.values { host.node.keepVersions(milliseconds: 4_000) }
    var random = SplitMix64(seed: seed)
    var id: UInt64 = 0
    var isOver = false
    var done = 0
    func write(_ client: UInt64) {
      guard !isOver else { return }
      id += 1
      let value = Int.random(in: 0..<5, using: &random) == 0 ? nil : String(repeating: "v\(id)", count: 20)
      let node = world.hosts.keys.sorted()[Int(client) % world.hosts.count]
      world.send(SimulatedWorld.write("key \(UInt64.random(in: 0..<50, using: &random))", value, id: id), to: node) {
        if case .write = $0 { done += 1 }
        world.after(milliseconds: 15) { write(client) }
      }
    }
    for client in 0..<4 as Range<UInt64> { write(client) }
    var equal = 0
    for round in 0..<20 {
      world.run(milliseconds: 300)
      // Once there is something to move, another node joins.
      if round == 8 { _ = try world.join() }
      guard let report = world.verify(UInt32(round % 2 + 1))?.report else { continue }
      #expect(
        report.outcomes.isSubset(of: [.equal, .notChecked]),
        "seed \(seed), round \(round): \(report.replicas) \(report.differences)")
      if report.outcomes == [.equal] { equal += 1 }
      guard let sums = world.verify(UInt32(round % 2 + 1), quick: true)?.report else { continue }
      #expect(sums.outcomes.isSubset(of: [.equal, .notChecked]), "seed \(seed), round \(round): \(sums.replicas)")
    }
    isOver = true
    #expect(equal > 10, "seed \(seed): only \(equal) of 20 could be compared")
    #expect(done > 500, "seed \(seed): only \(done) writes")
    #expect(world.stops.isEmpty)
  }
}
