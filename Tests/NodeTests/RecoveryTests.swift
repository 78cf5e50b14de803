import Bytes
import Environment
import Simulation
import Testing
import Wire

@testable import Node

@Suite("A cluster that lost its quorum goes on with what is left")
struct RecoveryTests {
  private static let own = NodeID(rawValue: 3)
  private static let other = NodeID(rawValue: 4)

  /// Four nodes, all stopped, of which two are lost: neither of the others has a replica of everything. Gives the third
  /// one's disk, on which the fourth one's directory was put, too, and what was written.
  private func remains(
    seed: UInt64, isAhead: NodeID = other
  ) throws -> (world: SimulatedWorld, disk: SimulatedDisk, written: [String: String]) {
    var options = NodeOptions()
    options.splitBytes = .bytes(0)
    let world = try SimulatedWorld(seed: seed, partitions: 8, options: options)
    for _ in 0..<3 { _ = try world.join() }
    world.run(milliseconds: 60_000) { world.isHealthy && (world.statuses.last?.groups.count ?? 0) > 5 }
    try #require(world.settle())
    var written: [String: String] = [:]
    for id in 1...120 as ClosedRange<UInt64> {
      try #require(world.putAsClient("k\(id % 40)", "v\(id)", id: id) != nil)
      written["k\(id % 40)"] = "v\(id)"
      if id == 60 {
        for host in world.hosts.values { host.node.partitions.forEach { $0.flush() } }
        world.run(milliseconds: 500)
      }
    }
    // One of the two misses what comes last.
    let behind = isAhead == Self.own ? Self.other : Self.own
    world.kill(behind)
    let ahead = try #require(world.hosts[isAhead]?.node)
    for id in 200...260 as ClosedRange<UInt64> {
      let key = "k\(id % 40)"
      guard world.put(key, "v\(id)", id: id) != nil else { continue }
      // Of others only the two that are lost have it.
      let isHere = ahead.group(of: Array(key.utf8)).map(ahead.groups.contains) ?? false
      written[key] = isHere ? "v\(id)" : nil
      world.run(milliseconds: 100)
    }
    world.run(milliseconds: 1_000)
    let disks = world.hosts.mapValues(\.disk)
    for id in world.hosts.keys.sorted() { world.kill(id) }
    try world.start(behind)
    var all = disks
    all[behind] = world.hosts[behind]?.disk
    world.kill(behind)
    let disk = try #require(all[Self.own]).clone()
    try copy("/node", of: try #require(all[Self.other]), to: "/other", on: disk)
    try disk.syncDirectory("/")
    return (world, disk, written)
  }

  private func copy(_ path: String, of source: SimulatedDisk, to target: String, on disk: SimulatedDisk) throws {
    guard let names = try? source.list(path) else {
      let bytes = try source.contents(of: path, limit: 1 << 30)
      let file = try disk.open(target, .create)
      try file.write(bytes, at: 0)
      return try file.sync()
    }
    try disk.createDirectory(target)
    for name in names { try copy("\(path)/\(name)", of: source, to: "\(target)/\(name)", on: disk) }
    try disk.syncDirectory(target)
  }

  private func recovery(_ disk: SimulatedDisk, others: [String] = ["/other"]) throws -> Recovery {
    try Recovery("/node", others: others, on: disk, time: 7)
  }

  /// Lets the node go on, and holds what it has against what was written.
  private func check(_ disk: SimulatedDisk, in world: SimulatedWorld, _ written: [String: String]) throws {
    world.replaceDisk(of: Self.own, with: disk)
    try world.start(Self.own)
    defer { world.kill(Self.own) }
    try #require(world.settle())
    for (key, value) in written.sorted(by: { $0.key < $1.key }) {
      #expect(world.get(key) == value, "\(key)")
    }
    #expect(world.put("after", "one", id: world.hosts.isEmpty ? 1 : 900) != nil && world.get("after") == "one")
    #expect(world.stops.isEmpty)
  }

  @Test("of each group that replica is taken which goes furthest, whichever of the two it is", arguments: [3, 4])
  func furthest(ahead: UInt32) throws {
    let (world, disk, written) = try remains(seed: 5, isAhead: NodeID(rawValue: ahead))
    #expect(try !recovery(disk, others: []).obstacles.isEmpty)
    let plan = try recovery(disk)
    #expect(plan.obstacles.isEmpty && !plan.isDone && plan.groups.count == 9)
    #expect(Set(plan.groups.map(\.source)) == [Self.own, Self.other])
    #expect(plan.groups[0].source.rawValue == ahead, "the catalog")
    #expect(plan.lost.map(\.id.rawValue) == [1, 2, 4])
    try plan.apply()
    #expect(try recovery(disk, others: []).isDone)
    try check(disk, in: world, written)
  }

  @Test("cut off at any step it is done again from the start, and nothing is lost")
  func crashes() throws {
    let (world, disk, written) = try remains(seed: 6)
    let whole = disk.clone()
    let plan = try recovery(whole)
    let before = whole.steps
    try plan.apply()
    let count = whole.steps - before
    #expect(count > 20)
    for step in stride(from: 0, to: count, by: 3) {
      let copy = disk.clone()
      let plan = try recovery(copy)
      copy.powerOff(afterSteps: step)
      #expect(throws: NodeError.self) { try plan.apply() }
      copy.crash(seed: UInt64(step))
      if copy.exists("/node/RECOVERING") {
        #expect(throws: NodeError.self) { _ = try OpenedDirectory.open("/node", on: copy, cacheBytes: 1 << 20) }
      }
      let again = try recovery(copy)
      #expect(again.obstacles.isEmpty, "step \(step): \(again.obstacles)")
      if !again.isDone { try again.apply() }
      #expect(try recovery(copy, others: []).isDone, "step \(step)")
      if step.isMultiple(of: 4) { try check(copy, in: world, written) }
    }
  }

  @Test("a partition of which nothing is left begins anew, empty, and what it held is refused, not absent")
  func emptied() throws {
    let (world, disk, written) = try remains(seed: 9)
    let lacking = try recovery(disk, others: []).groups.filter { $0.obstacle != nil }.map(\.group)
    try #require(!lacking.isEmpty)
    func alone(without: [GroupID]) throws -> Recovery {
      try Recovery("/node", without: Set(without), on: disk, time: 7)
    }
    #expect(try !alone(without: Array(lacking.dropFirst())).obstacles.isEmpty)
    let kept = try #require(try alone(without: []).groups.first { $0.obstacle == nil && $0.group != .catalog })
    #expect(try alone(without: lacking + [kept.group]).obstacles.count == 1, "what is there is not thrown away")
    // Cut off at any step it is done again, by the same command.
    let whole = disk.clone()
    let uncut = try Recovery("/node", without: Set(lacking), on: whole, time: 7)
    let before = whole.steps
    try uncut.apply()
    for step in stride(from: 0, to: whole.steps - before, by: 5) {
      let copy = disk.clone()
      let plan = try Recovery("/node", without: Set(lacking), on: copy, time: 7)
      copy.powerOff(afterSteps: step)
      #expect(throws: NodeError.self) { try plan.apply() }
      copy.crash(seed: UInt64(step))
      let again = try Recovery("/node", without: Set(lacking), on: copy, time: 7)
      #expect(again.obstacles.isEmpty, "step \(step): \(again.obstacles)")
      if !again.isDone { try again.apply() }
      let done = try Recovery("/node", without: Set(lacking), on: copy, time: 7)
      #expect(done.isDone && done.earlier.last?.emptied == lacking.map(\.rawValue), "step \(step)")
    }
    let plan = try alone(without: lacking)
    #expect(plan.obstacles.isEmpty && plan.groups.filter(\.isEmptied).map(\.group) == lacking)
    try plan.apply()
    let done = try alone(without: [])
    #expect(done.isDone && done.earlier.last?.emptied == lacking.map(\.rawValue))

    world.replaceDisk(of: Self.own, with: disk)
    try world.start(Self.own)
    try #require(world.settle())
    let node = try #require(world.hosts[Self.own]?.node)
    var absent = 0
    for key in written.keys.sorted() {
      let group = try #require(node.group(of: Array(key.utf8)))
      guard lacking.contains(group) else { continue }
      absent += 1
      #expect(world.get(key) == nil, "\(key)")
      let past = world.ask(.with { $0.get = .with { ($0.key, $0.at) = (.init(key.utf8), 1) } }, of: Self.own)
      guard case .failure(let failure)? = past else {
        Issue.record("\(key): \(String(describing: past))")
        continue
      }
      #expect(failure.code == .notRetained)
    }
    #expect(absent > 0)
    for (number, key) in written.keys.sorted().enumerated() {
      #expect(world.put(key, "new", id: 1_000 + UInt64(number)) != nil && world.get(key) == "new", "\(key)")
    }
    world.kill(Self.own)
    try world.start(Self.own)
    try #require(world.settle())
    for key in written.keys { #expect(world.get(key) == "new", "\(key)") }
    // Others join, and hold the same.
    for _ in 0..<2 { _ = try world.join() }
    try #require(world.settle())
    for group in node.groups where group != .catalog {
      #expect(try #require(world.verify(group.rawValue)).report.outcomes == [.equal])
    }
    #expect(world.stops.isEmpty)
    // In a second disaster it is a partition as all others.
    world.kill(Self.own)
    let second = try Recovery("/node", without: Set(lacking), on: disk.clone(), time: 8)
    #expect(second.obstacles.count == lacking.count, "\(second.obstacles)")
  }

  @Test(
    "a node alone whose log has lost something goes on with the rest, if that is accepted",
    arguments: 1...12 as ClosedRange<UInt64>)
  func lossy(seed: UInt64) throws {
    var options = NodeOptions()
    options.log = .init(segmentBytes: .kibibytes(16), spareSegments: 2, identity: 3)
    options.keptLogBytes = 0
    let world = try SimulatedWorld(seed: seed, partitions: 4, options: options)
    let only = NodeID(rawValue: 1)
    var values: [String: [String]] = [:]
    var last: Version?
    for id in 1...120 as ClosedRange<UInt64> {
      let value = "v\(id)" + String(repeating: "x", count: 600)
      last = try #require(world.ask(SimulatedWorld.write("k\(id % 40)", value, id: id))?.version)
      values["k\(id % 40)", default: []].append(value)
      if id == 60 { world.hosts[only]?.node.partitions.forEach { $0.flush() } }
      world.run(milliseconds: 20)
    }
    world.run(milliseconds: 500)
    let disk = try #require(world.hosts[only]).disk
    world.kill(only)
    let segments = try disk.list("/node/log").filter { $0.hasSuffix(".log") }
    if seed % 2 == 0 {
      // The end of the log is gone, spares and all.
      for name in segments.dropFirst(segments.count / 3) { try disk.remove("/node/log/\(name)") }
      try disk.syncDirectory("/node/log")
    } else {
      var random = SplitMix64(seed: seed)
      try disk.damageLog(&random, times: 2)
    }
    func recovery(_ acceptsLoss: Bool) throws -> Recovery {
      try Recovery("/node", acceptsLoss: acceptsLoss, on: disk, time: 7)
    }
    let lacking = try recovery(false).obstacles
    // Of flipped bytes some harm nothing.
    guard !lacking.isEmpty else { return #expect(seed % 2 == 1, "seed \(seed): nobody misses the log's end") }
    let plan = try recovery(true)
    #expect(plan.obstacles.isEmpty && plan.groups.compactMap(\.loss).count == lacking.count && !plan.isDone)
    try plan.apply()
    let done = try recovery(false)
    #expect(done.isDone && done.obstacles.isEmpty, "seed \(seed): \(done.obstacles)")
    #expect(done.earlier.last?.lossy == plan.groups.filter { $0.loss != nil }.map(\.group.rawValue), "seed \(seed)")

    try world.start(only)
    try #require(world.settle(), "seed \(seed)")
    for (key, written) in values {
      // Whatever is there was written once, and nothing else; some is gone.
      let found = world.get(key)
      #expect(found.map(written.contains) ?? true, "seed \(seed): \(key)")
    }
    for (number, key) in values.keys.sorted().enumerated() {
      let answer = world.ask(SimulatedWorld.write(key, "new", id: 1_000 + UInt64(number)))
      #expect(try #require(answer?.version) > #require(last), "seed \(seed): a version came again")
    }
    world.kill(only)
    try world.start(only)
    try #require(world.settle(), "seed \(seed)")
    for key in values.keys { #expect(world.get(key) == "new", "seed \(seed): \(key)") }
    #expect(world.stops.isEmpty)
  }

  @Test("a partition of a node alone begins anew, though there is nobody else to strike out")
  func emptiedAlone() throws {
    let world = try SimulatedWorld(seed: 4, partitions: 4)
    let only = NodeID(rawValue: 1)
    for id in 1...60 as ClosedRange<UInt64> { try #require(world.put("k\(id)", "v", id: id) != nil) }
    world.hosts[only]?.node.partitions.forEach { $0.flush() }
    world.run(milliseconds: 500)
    let disk = try #require(world.hosts[only]).disk
    world.kill(only)
    disk.flip("/node/partitions/3/CURRENT", at: 3)
    let gone = GroupID(rawValue: 3)
    let plan = try Recovery("/node", without: [gone], on: disk, time: 7)
    #expect(plan.obstacles.isEmpty && !plan.isDone)
    try plan.apply()
    #expect(try Recovery("/node", without: [gone], on: disk, time: 7).isDone)
    try world.start(only)
    try #require(world.settle())
    let node = try #require(world.hosts[only]?.node)
    for id in 1...60 as ClosedRange<UInt64> {
      let isGone = node.group(of: Array("k\(id)".utf8)) == gone
      #expect(world.get("k\(id)") == (isGone ? nil : "v"))
      #expect(world.put("k\(id)", "new", id: 100 + id) != nil)
    }
    world.kill(only)
    try world.start(only)
    try #require(world.settle())
    for id in 1...60 as ClosedRange<UInt64> { #expect(world.get("k\(id)") == "new") }
  }

  @Test("what is taken from is read alone, and may be given again by mistake")
  func repeated() throws {
    let (world, disk, written) = try remains(seed: 7)
    try recovery(disk).apply()
    let again = try recovery(disk)
    #expect(again.isDone, "\(again.groups.map(\.source)), \(again.lost)")
    try check(disk, in: world, written)
  }

  @Test("where the node's own catalog is damaged another directory's is taken; where all are, that is said")
  func damagedCatalog() throws {
    let (world, disk, written) = try remains(seed: 10)
    for name in ["catalog", "catalog.copy"] { disk.flip("/node/\(name)", at: 40) }
    let error = try #require(throws: NodeError.self) { _ = try recovery(disk, others: []) }
    #expect("\(error)".contains("no catalog is left to go on with: /node/catalog and its copy don't fit"))
    let plan = try recovery(disk)
    #expect(plan.obstacles.isEmpty && plan.groups[0].source == Self.other, "\(plan.obstacles)")
    try plan.apply()
    #expect(try recovery(disk, others: []).isDone)
    try check(disk, in: world, written)
  }

  @Test("directories of other clusters, of the same node, and those that are none are refused")
  func refused() throws {
    let (_, disk, _) = try remains(seed: 8)
    try copy("/other", of: disk, to: "/again", on: disk)
    #expect(throws: NodeError.self) { _ = try recovery(disk, others: ["/other", "/again"]) }
    #expect(throws: NodeError.self) { _ = try recovery(disk, others: ["/nowhere"]) }
    #expect(throws: NodeError.self) { _ = try recovery(disk, others: ["/node"]) }
  }
}
