import Bytes
import Environment
import Simulation
import Testing
import Wire

@testable import Node

@Suite("Damage before the end of a log")
struct FenceTests {
  private func cluster(_ seed: UInt64, nodes: Int = 3) throws -> SimulatedWorld {
    let world = try SimulatedWorld(seed: seed, partitions: 4)
    for _ in 1..<nodes { _ = try world.join() }
    try #require(world.settle(), "seed \(seed): not healthy at the start")
    return world
  }

  private func replicas(_ world: SimulatedWorld, of node: NodeID) -> [UInt32: UInt64] {
    let status = world.statuses.first { $0.node == node.rawValue }
    return Dictionary((status?.groups ?? []).map { ($0.group, $0.replica) }) { first, _ in first }
  }

  @Test(
    "the replicas that it concerns are fenced and replaced, under load, and nothing acknowledged is lost",
    arguments: 1...40 as ClosedRange<UInt64>)
  func mended(seed: UInt64) throws {
    let world = try cluster(seed)
    var random = SplitMix64(seed: seed)
    let victim = NodeID(rawValue: UInt32.random(in: 1...3, using: &random))
    let other = try #require(world.hosts.keys.filter { $0 != victim }.min())
    var id: UInt64 = 0
    var versions: [(key: String, value: String, version: Version)] = []
    func write(_ count: Int) {
      for _ in 0..<count {
        id += 1
        let request = SimulatedWorld.write("k\(id % 40)", "v\(id)", id: id)
        // As a client does: what is unknown or unavailable is asked again.
        var answer: Version?
        for _ in 0..<20 where answer == nil {
          answer = world.ask(request, of: other)?.version
          if answer == nil { world.run(milliseconds: 200) }
        }
        if let answer { versions.append(("k\(id % 40)", "v\(id)", answer)) }
      }
    }
    write(120)
    let before = replicas(world, of: victim)
    let disk = try #require(world.hosts[victim]).disk
    world.kill(victim)
    try disk.damageLog(&random, times: Int.random(in: 1...3, using: &random))
    try world.start(victim)
    write(40)
    #expect(world.settle(), "seed \(seed): \(world.statuses.flatMap(\.problems))")
    write(40)
    #expect(versions.count == 200, "seed \(seed)")
    let after = replicas(world, of: victim)
    #expect(Set(before.keys) == Set(after.keys), "seed \(seed)")
    for (key, value, version) in versions { #expect(world.get(key, at: version) == value, "seed \(seed)") }
    // Again, from what it wrote since.
    world.kill(victim)
    try world.start(victim)
    #expect(world.settle(), "seed \(seed): after another restart")
    #expect(replicas(world, of: victim) == after, "seed \(seed): the new replicas are sound")
    #expect(world.stops.isEmpty, "seed \(seed): \(world.stops)")
  }

  @Test("a fenced replica gives no vote and acknowledges nothing: it is to its group as one that is down")
  func noVote() throws {
    let world = try cluster(30)
    for id in 1...60 as ClosedRange<UInt64> { #expect(world.put("k\(id)", "v", id: id) != nil) }
    let victim = NodeID(rawValue: 3)
    let disk = try #require(world.hosts[victim]).disk
    for id in 1...3 as ClosedRange<UInt32> { world.kill(NodeID(rawValue: id)) }
    // The first frame, whose groups are not known then: all that don't come again are suspect.
    for offset in stride(from: 1030, to: 1_000_000, by: 1_500) {
      disk.flip("/node/log/0000000000000001.log", at: offset)
    }
    try world.start(victim)
    try world.start(NodeID(rawValue: 2))
    world.run(milliseconds: 20_000)
    let host = try #require(world.hosts[victim])
    #expect(host.node.fences.all.count == 5)
    #expect(host.node.replicas.isEmpty)
    #expect(world.hosts.values.allSatisfy { host in host.node.replicas.values.allSatisfy { !$0.core.isLeader } })
    #expect(world.ask(SimulatedWorld.read("k7"), of: NodeID(rawValue: 2))?.failure?.code == .unavailable)
    let status = try #require(world.statuses.first { $0.node == 3 })
    #expect(status.problems.contains { $0.contains("damaged") } && !status.damage.isEmpty)
    try world.start(NodeID(rawValue: 1))
    #expect(world.settle(), "\(world.statuses.flatMap(\.problems))")
    for id in 1...60 as ClosedRange<UInt64> { #expect(world.get("k\(id)") == "v") }
  }

  @Test("a store that can't be read is set aside and made anew from the others; the other partitions are served")
  func unreadableStore() throws {
    let world = try cluster(31)
    for id in 1...60 as ClosedRange<UInt64> { #expect(world.put("k\(id)", "v", id: id) != nil) }
    let victim = NodeID(rawValue: 2)
    let disk = try #require(world.hosts[victim]).disk
    world.kill(victim)
    disk.flip("/node/partitions/3/CURRENT", at: 3)
    try world.start(victim)
    let node = try #require(world.hosts[victim]?.node)
    try #require(world.run(milliseconds: 2_000) { !node.isRecollecting })
    #expect(node.fences.all.map(\.group) == [GroupID(rawValue: 3)])
    #expect(world.settle(), "\(world.statuses.flatMap(\.problems))")
    #expect(disk.exists("/node/partitions/3.damaged.1"))
    for id in 1...60 as ClosedRange<UInt64> { #expect(world.get("k\(id)") == "v") }
    world.kill(victim)
    try world.start(victim)
    #expect(world.settle())
  }

  /// Exchanges the files of two directories.
  private func exchange(
    _ one: (disk: SimulatedDisk, directory: String), _ other: (disk: SimulatedDisk, directory: String)
  ) throws {
    let places = [one, other]
    let files = try places.map { place in
      try place.disk.list(place.directory).map {
        ($0, try place.disk.contents(of: "\(place.directory)/\($0)", limit: 1 << 26))
      }
    }
    for (place, (old, new)) in zip(places, [(files[0], files[1]), (files[1], files[0])]) {
      for (name, _) in old { try place.disk.remove("\(place.directory)/\(name)") }
      for (name, bytes) in new { try place.disk.replace("\(place.directory)/\(name)", with: bytes) }
    }
  }

  /// A cluster with 60 keys whose first node has come back with two partitions' files exchanged: its replicas have one and
  /// the same id, which tells nothing.
  private func clusterWithExchange(_ seed: UInt64, nodes: Int) throws -> SimulatedWorld {
    let world = try cluster(seed, nodes: nodes)
    for id in 1...60 as ClosedRange<UInt64> { #expect(world.put("k\(id)", "v", id: id) != nil) }
    try exchangeOfFirst(world)
    return world
  }

  private func exchangeOfFirst(_ world: SimulatedWorld) throws {
    let node = NodeID(rawValue: 1)
    let disk = try #require(world.hosts[node]).disk
    world.kill(node)
    try exchange((disk, "/node/partitions/2"), (disk, "/node/partitions/3"))
    try world.start(node)
  }

  @Test("the files of one partition in the directory of another serve neither: both are made anew from the others")
  func exchanged() throws {
    let world = try clusterWithExchange(34, nodes: 3)
    let node = NodeID(rawValue: 1)
    let started = try #require(world.hosts[node]?.node)
    try #require(world.run(milliseconds: 2_000) { !started.isRecollecting })
    #expect(started.fences.all.map(\.group) == [GroupID(rawValue: 2), GroupID(rawValue: 3)])
    #expect(started.fences.problem(of: GroupID(rawValue: 2))?.contains("those of partition 3") == true)
    #expect(world.settle(), "\(world.statuses.flatMap(\.problems))")
    for id in 1...60 as ClosedRange<UInt64> { #expect(world.get("k\(id)") == "v") }
  }

  @Test("on a node alone they are refused, and whole again once they are where they belong")
  func exchangedAlone() throws {
    let world = try clusterWithExchange(35, nodes: 1)
    world.run(milliseconds: 5_000)
    for id in 1...60 as ClosedRange<UInt64> {
      let answer = try #require(world.ask(SimulatedWorld.read("k\(id)")))
      if let failure = answer.failure {
        #expect(failure.message.contains("those of partition"), "\(failure.message)")
      } else if case .get(let found) = answer {
        #expect(found.found && found.value.array == Array("v".utf8))
      }
    }
    try exchangeOfFirst(world)
    #expect(world.settle(), "\(world.statuses.flatMap(\.problems))")
    for id in 1...60 as ClosedRange<UInt64> { #expect(world.get("k\(id)") == "v") }
  }

  /// A cluster of three of which the second and third node alone have the newest value of 60 keys; both are down.
  private func clusterWithNewsOnTwo(_ seed: UInt64) throws -> (SimulatedWorld, [SimulatedDisk]) {
    let world = try cluster(seed, nodes: 3)
    let nodes = (1...3).map { NodeID(rawValue: $0) }
    for id in 1...60 as ClosedRange<UInt64> { #expect(world.put("k\(id)", "old", id: id) != nil) }
    world.kill(nodes[0])
    for id in 1...60 as ClosedRange<UInt64> { #expect(world.put("k\(id)", "new", id: 100 + id) != nil) }
    let disks = try nodes[1...].map { try #require(world.hosts[$0]).disk }
    for node in nodes[1...] { world.kill(node) }
    return (world, disks)
  }

  @Test(
    "a node with files of another doesn't start, and has lost nothing once they are where they belong",
    arguments: [
      ("log", "this is not the log of node 2"), ("partitions/3", "these are files of node 3, and this is node 2"),
    ])
  func exchangedByNodes(place: String, reason: String) throws {
    let (world, disks) = try clusterWithNewsOnTwo(36)
    try exchange((disks[0], "/node/\(place)"), (disks[1], "/node/\(place)"))
    for id in 2...3 as ClosedRange<UInt32> {
      let refusal = #expect(throws: NodeError.self) { try world.start(NodeID(rawValue: id)) }
      let words = refusal.map { "\($0)" } ?? ""
      #expect(id == 3 || words.hasPrefix("/node/\(place): \(reason)"), "\(words)")
    }
    try exchange((disks[0], "/node/\(place)"), (disks[1], "/node/\(place)"))
    for id in 1...3 as ClosedRange<UInt32> { try world.start(NodeID(rawValue: id)) }
    #expect(world.settle(), "\(world.statuses.flatMap(\.problems))")
    for id in 1...60 as ClosedRange<UInt64> { #expect(world.get("k\(id)") == "new") }
  }

  @Test("the only replica is never replaced: its keys are refused at once with the reason, and the others served")
  func onlyReplica() throws {
    let world = try cluster(32, nodes: 1)
    for id in 1...60 as ClosedRange<UInt64> { #expect(world.put("k\(id)", "v", id: id) != nil) }
    let node = NodeID(rawValue: 1)
    let disk = try #require(world.hosts[node]).disk
    world.kill(node)
    disk.flip("/node/partitions/3/CURRENT", at: 3)
    try world.start(node)
    world.run(milliseconds: 5_000)
    var (served, refused) = (0, 0)
    for id in 1...12 as ClosedRange<UInt64> {
      let answer = world.ask(SimulatedWorld.read("k\(id)"))
      if let failure = answer?.failure {
        refused += 1
        #expect(failure.code == .damaged && failure.message.contains("there is no other"), "\(failure)")
        let write = world.ask(SimulatedWorld.write("k\(id)", "w", id: 100 + id))?.failure
        #expect(write?.code == .damaged, "\(String(describing: write))")
      } else {
        served += 1
      }
    }
    #expect(served > 0 && refused > 0)
    let range = world.ask(.with { $0.range = .with { $0.groups = [1, 2, 3, 4] } })?.failure
    #expect(range?.code == .damaged, "\(String(describing: range))")
    #expect(!disk.exists("/node/partitions/3.damaged.1"))
  }

  @Test("damage to the log of the only replica of the catalog keeps the node from starting")
  func onlyCatalog() throws {
    let world = try cluster(33, nodes: 1)
    for id in 1...60 as ClosedRange<UInt64> { #expect(world.put("k\(id)", "v", id: id) != nil) }
    let node = NodeID(rawValue: 1)
    let disk = try #require(world.hosts[node]).disk
    world.kill(node)
    for offset in stride(from: 1030, to: 1_000_000, by: 1_500) {
      disk.flip("/node/log/0000000000000001.log", at: offset)
    }
    do {
      try world.start(node)
      Issue.record("it started")
    } catch .damagedCatalog(let words) {
      #expect(words.first?.contains("damaged at byte") == true)
    }
  }

  @Test("a block of a table that can't be read is reported, and the other keys go on being served")
  func unreadableBlock() throws {
    let world = try cluster(34, nodes: 1)
    for id in 1...400 as ClosedRange<UInt64> {
      #expect(world.put("k\(id)", String(repeating: "v", count: 500), id: id) != nil)
    }
    let node = NodeID(rawValue: 1)
    let host = try #require(world.hosts[node])
    for partition in host.node.partitions { partition.flush() }
    world.run(milliseconds: 1_000)
    let table = try #require(try host.disk.list("/node/partitions/2").first { $0.hasSuffix(".sst") })
    world.kill(node)
    host.disk.flip("/node/partitions/2/\(table)", at: 1_000)
    try world.start(node)
    world.run(milliseconds: 3_000)
    var refused = 0
    for id in 1...400 as ClosedRange<UInt64> {
      let answer = world.ask(SimulatedWorld.read("k\(id)"))
      guard let failure = answer?.failure else { continue }
      refused += 1
      #expect(failure.code == .damaged && failure.message.contains(table), "\(failure)")
    }
    #expect((1..<100).contains(refused), "\(refused) of 400 refused")
    let status = try #require(world.statuses.first)
    #expect(status.damage.contains { $0.contains(table) }, "\(status.damage)")
    #expect(status.problems.contains { $0.contains("can't be read") })
  }

  @Test(
    "a partition's directory that is gone, or has lost CURRENT, is a loss: who forgot its votes gets a new id",
    arguments: [false, true])
  func gone(hasFiles: Bool) throws {
    let world = try cluster(7)
    let versions = try (1...60 as ClosedRange<UInt64>).map { number in
      let answer = world.ask(SimulatedWorld.write("k\(number)", "v\(number)", id: number), of: NodeID(rawValue: 1))
      return (number: number, version: try #require(answer?.version))
    }
    let victim = NodeID(rawValue: 3)
    let before = replicas(world, of: victim)
    let host = try #require(world.hosts[victim])
    world.kill(victim)
    let directory = try #require(
      host.disk.files(under: "/").map(\.path).first { $0.hasSuffix("/partitions/2/CURRENT") }
    )
    .dropLast("/CURRENT".count)
    for file in try host.disk.list(String(directory)) where !hasFiles || file == "CURRENT" {
      try host.disk.remove("\(directory)/\(file)")
    }
    if !hasFiles { try host.disk.remove(String(directory)) }
    try world.start(victim)
    let node = try #require(world.hosts[victim]?.node)
    try #require(world.run(milliseconds: 2_000) { !node.isRecollecting })
    let fenced = node.fencedReplicas
    #expect(fenced.count == 1 && fenced[0].contains("partition 2") && fenced[0].contains("its files are gone"))
    #expect(world.settle(), "\(world.statuses.flatMap(\.problems))")
    let after = replicas(world, of: victim)
    #expect(before.filter { $0.value != after[$0.key] }.map(\.key) == [2], "one replica has another id")
    for (number, version) in versions { #expect(world.get("k\(number)", at: version) == "v\(number)") }
  }

  @Test("without the directory of all partitions a node starts as if each had lost its own, and is made whole")
  func allGone() throws {
    let world = try cluster(11)
    for number in 1...60 as ClosedRange<UInt64> {
      _ = world.ask(SimulatedWorld.write("k\(number)", "v\(number)", id: number), of: NodeID(rawValue: 1))
    }
    let victim = NodeID(rawValue: 3)
    let host = try #require(world.hosts[victim])
    world.kill(victim)
    for path in host.disk.files(under: "/node/partitions").map(\.path) { try host.disk.remove(path) }
    for name in try host.disk.list("/node/partitions") { try host.disk.remove("/node/partitions/\(name)") }
    try host.disk.remove("/node/partitions")
    try world.start(victim)
    let node = try #require(world.hosts[victim]?.node)
    try #require(world.run(milliseconds: 2_000) { !node.isRecollecting })
    #expect(node.fencedReplicas.count == 4)
    #expect(world.settle(), "\(world.statuses.flatMap(\.problems))")
    for number in 1...60 { #expect(world.get("k\(number)") == "v\(number)") }
  }

  @Test("a catalog's file that is gone, once the log no longer holds what it held, leaves nothing to start with")
  func catalogGone() throws {
    let world = try cluster(9)
    let victim = NodeID(rawValue: 3)
    let host = try #require(world.hosts[victim])
    world.kill(victim)
    for file in ["/node/catalog", "/node/catalog.copy"] { try host.disk.remove(file) }
    let error = try #require(throws: NodeError.self) { try world.start(victim) }
    #expect("\(error)".contains("its state is gone, and its log begins after"))
  }

  @Test("the only replica whose files are gone says so, and serves nothing")
  func goneForEver() throws {
    let world = try cluster(8, nodes: 1)
    let host = try #require(world.hosts[NodeID(rawValue: 1)])
    world.kill(NodeID(rawValue: 1))
    for file in host.disk.files(under: "/").map(\.path) where file.contains("/partitions/2/") {
      try host.disk.remove(file)
    }
    try world.start(NodeID(rawValue: 1))
    world.run(milliseconds: 3_000)
    let problems = world.statuses.flatMap(\.problems)
    #expect(problems.contains { $0.contains("partition 2") && $0.contains("its files are gone") }, "\(problems)")
  }
}
