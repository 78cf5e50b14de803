import Bytes
import HashRing
import Simulation
import Store
import Testing
import Wire

@testable import Node

@Suite("Partitions that are cut in half")
struct SplitTests {
  private func cluster(
    of count: Int, seed: UInt64, partitions: Int = 2, options: NodeOptions = NodeOptions()
  ) throws -> SimulatedWorld {
    let world = try SimulatedWorld(seed: seed, partitions: partitions, options: options)
    for _ in 1..<count { _ = try world.join() }
    try #require(world.settle(), "seed \(seed): not healthy at the start")
    return world
  }

  private func map(_ world: SimulatedWorld) throws -> WireMapResponse {
    guard case .map(let map)? = world.ask(.with { $0.map = WireMapRequest() }) else {
      throw SimulationError.refused("no map")
    }
    return map
  }

  /// Splits a partition and waits until the catalog says that it is.
  private func split(_ world: SimulatedWorld, _ group: UInt32) throws {
    let part = try #require(try map(world).partitions.first { $0.group == group })
    let request = WireRequest.with {
      $0.split = .with {
        $0.group = group
        $0.bits = part.bits
      }
    }
    for _ in 0..<100 {
      if case .split(let answer)? = world.ask(request), answer.done { return }
      world.run(milliseconds: 50)
    }
    Issue.record("partition \(group) is not split: \(world.ailments)")
  }

  @Test("keys, old versions and request ids are where they were", arguments: [1, 3])
  func keeps(nodes: Int) throws {
    let world = try cluster(of: nodes, seed: UInt64(nodes))
    var old: [String: Version] = [:]
    for id in 1...80 as ClosedRange<UInt64> { old["k\(id)"] = world.put("k\(id)", "old\(id)", id: id) }
    for id in 1...80 as ClosedRange<UInt64> where id % 2 == 0 { _ = world.put("k\(id)", "new\(id)", id: 1000 + id) }
    try split(world, 1)
    try split(world, 2)
    try split(world, 1)
    #expect(try map(world).partitions.count == 5)
    #expect(world.settle())
    for id in 1...80 as ClosedRange<UInt64> {
      #expect(world.get("k\(id)") == (id % 2 == 0 ? "new\(id)" : "old\(id)"))
      #expect(world.get("k\(id)", at: try #require(old["k\(id)"])) == "old\(id)")
      // The same write again: the same version, nothing new.
      #expect(world.put("k\(id)", "old\(id)", id: id) == old["k\(id)"])
    }
  }

  @Test("in time the halves' files hold their own keys alone, and a start finds it so", arguments: [1, 3])
  func parting(nodes: Int) throws {
    let world = try cluster(of: nodes, seed: 40 + UInt64(nodes))
    for id in 1...200 as ClosedRange<UInt64> { _ = world.put("k\(id)", String(repeating: "v", count: 500), id: id) }
    try split(world, 1)
    try split(world, 2)
    let all = { world.hosts.values.flatMap { $0.node.partitions } }
    #expect(world.run(milliseconds: 60_000) { all().allSatisfy { !$0.isCut && !$0.store.holdsOthersKeys } })
    for id in world.nodes {
      world.kill(id)
      try world.start(id)
      #expect(world.settle())
    }
    #expect(all().count == 4 * nodes && all().allSatisfy { !$0.isCut && $0.store.keyFilter == nil })
    for partition in all() {
      let cursor = partition.store.exportCursor()
      while let record = try cursor.next() { #expect(partition.owns(Position(of: record.key))) }
    }
    for id in 1...200 as ClosedRange<UInt64> { #expect(world.get("k\(id)")?.count == 500) }
  }

  @Test("a partition that holds more than one should is split without being asked, again and again", arguments: [1, 3])
  func size(nodes: Int) throws {
    var options = NodeOptions()
    options.store.memtableBytes = 64 << 10
    options.splitBytes = .kibibytes(300)
    let world = try cluster(of: nodes, seed: 50 + UInt64(nodes), partitions: 1, options: options)
    let value = String(repeating: "v", count: 1000)
    for id in 1...1200 as ClosedRange<UInt64> { #expect(world.put("k\(id)", value, id: id) != nil) }
    let all = { world.hosts.values.flatMap { $0.node.partitions } }
    // 1.2 MB: in quarters or eighths each lies below the bound.
    #expect(
      world.run(milliseconds: 120_000) {
        all().count >= 4 * nodes && all().allSatisfy { !$0.isCut && $0.store.size.bytes <= 300 << 10 }
      })
    let found = try map(world).partitions
    #expect((4...8).contains(found.count) && found.allSatisfy { $0.bits <= 3 }, "\(found.map(\.bits))")
    for id in 1...1200 as ClosedRange<UInt64> { #expect(world.get("k\(id)") == value) }
    // Enough is enough.
    world.run(milliseconds: 10_000)
    #expect(try map(world).partitions.count == found.count)
  }

  @Test("one key that is large with its history is not cut away from itself")
  func largeKey() throws {
    var options = NodeOptions()
    options.store.memtableBytes = 64 << 10
    options.splitBytes = .kibibytes(300)
    let world = try cluster(of: 1, seed: 52, partitions: 1, options: options)
    let value = String(repeating: "v", count: 10_000)
    for id in 1...100 as ClosedRange<UInt64> { #expect(world.put("k", value, id: id) != nil) }
    world.run(milliseconds: 10_000)
    #expect(try #require(world.hosts.values.first?.node.partitions.first).store.size.bytes > 300 << 10)
    #expect(try map(world).partitions.count == 1)
  }

  @Test("three nodes keep the partitions that they began with; with a fourth there come to be eight for each")
  func number() throws {
    let world = try cluster(of: 3, seed: 53)
    for id in 1...100 as ClosedRange<UInt64> { _ = world.put("k\(id)", "v\(id)", id: id) }
    world.run(milliseconds: 5_000)
    #expect(try map(world).partitions.count == 2)
    _ = try world.join()
    #expect(world.run(milliseconds: 120_000) { (try? map(world))?.partitions.count == 32 })
    #expect(world.settle())
    let found = try map(world).partitions
    #expect(found.count == 32 && found.allSatisfy { $0.bits == 5 })
    for id in 1...100 as ClosedRange<UInt64> { #expect(world.get("k\(id)") == "v\(id)") }
  }

  @Test("with a size of 0 nothing is split without being asked")
  func never() throws {
    var options = NodeOptions()
    options.store.memtableBytes = 64 << 10
    options.splitBytes = .bytes(0)
    let world = try cluster(of: 4, seed: 54, options: options)
    let value = String(repeating: "v", count: 1000)
    for id in 1...600 as ClosedRange<UInt64> { _ = world.put("k\(id)", value, id: id) }
    world.run(milliseconds: 10_000)
    #expect(try map(world).partitions.count == 2)
  }

  @Test("quick sums go on from the split, over restarts too, and a new node's learners are held against them")
  func sums() throws {
    var options = NodeOptions()
    options.splitBytes = .bytes(0)
    let world = try cluster(of: 3, seed: 11, options: options)
    for id in 1...40 as ClosedRange<UInt64> { _ = world.put("k\(id)", "v\(id)", id: id) }
    try split(world, 1)
    for id in 41...80 as ClosedRange<UInt64> { _ = world.put("k\(id)", "v\(id)", id: id) }
    for id in world.nodes {
      world.kill(id)
      try world.start(id)
      #expect(world.settle())
    }
    _ = try world.join()
    #expect(world.settle())
    let groups = try map(world).partitions.map(\.group)
    #expect(groups.count == 3)
    for group in groups {
      let report = try #require(world.verify(group, quick: true)).report
      #expect(report.outcomes == [.equal], "partition \(group): \(report)")
    }
    let odd = try #require(world.nodes.first { world.partition(1, on: $0)?.replica?.core.isLeader == false })
    let own = try #require(
      (0...).lazy.map { Key("extra\($0)") }.first { key in
        world.partition(1, on: odd)?.owns(Position(of: key)) == true
      })
    try #require(world.partition(1, on: odd)).store.apply(Record(key: own, version: Version(rawValue: 5), value: [1]))
    let report = try #require(world.verify(1, quick: true)).report
    #expect(report.outcome(on: odd) == .differs)
  }

  @Test("a range with an old map is refused, not answered by half")
  func staleRange() throws {
    let world = try cluster(of: 1, seed: 5)
    for id in 1...40 as ClosedRange<UInt64> { _ = world.put("k\(id)", "v", id: id) }
    let before = try map(world)
    try split(world, 1)
    guard case .now(let now)? = world.ask(.with { $0.now = WireNowRequest() }) else {
      Issue.record("no version")
      return
    }
    func range(_ parts: [WireMapResponse.Partition]) -> WireResponse.OneOf_Body? {
      world.ask(
        .with {
          $0.range = .with {
            $0.groups = parts.map(\.group)
            $0.arcBits = parts.map(\.bits)
            $0.at = now.version
            $0.credit = 1 << 20
          }
        })
    }
    #expect(range(before.partitions)?.failure?.code == .notLeader)
    world.run(milliseconds: 2_000)
    guard case .range(let response)? = range(try map(world).partitions) else {
      Issue.record("refused with the new map")
      return
    }
    var reader = ByteReader(Array(response.records))
    var keys: [[UInt8]] = []
    while !reader.isAtEnd { keys.append(try Record(from: &reader).key.bytes) }
    #expect(keys.count == 40)
    #expect(Set(keys).count == 40)
  }

  @Test("no key is served by two partitions at a time, though the others carry a split out long before the leader does")
  func servedOnce() throws {
    let world = try cluster(of: 3, seed: 9, partitions: 1)
    let keys = (1...40).map { "k\($0)" }
    for (id, key) in keys.enumerated() { #expect(world.put(key, "v", id: UInt64(id) + 1) != nil) }
    let leader = try #require(world.leader(ofKey: "k1"))
    try #require(world.hosts[leader]).laneDelays[.flush] = 3_000_000_000
    world.send(.with { $0.split = .with { $0.group = 1 } }, to: leader) { _ in }
    var isAhead = false
    world.run(milliseconds: 10_000) {
      let serving = world.hosts.values.flatMap { $0.node.partitions }.filter { partition in
        partition.replica.map { $0.leads && $0.core.leaseHolds(now: partition.node.now.rawValue) } ?? false
      }
      let twice = keys.filter { key in serving.count { $0.serves(Position(of: Key(key))) } > 1 }
      #expect(twice.isEmpty, "by the partitions \(serving.map(\.group))")
      isAhead = isAhead || serving.count == 2 && serving.contains { $0.arc.bits == 0 }
      return !twice.isEmpty || isAhead && serving.allSatisfy { $0.arc.bits > 0 }
    }
    #expect(isAhead, "the upper half was never served before the leader had carried the split out")
    for key in keys { #expect(world.get(key) == "v") }
  }

  @Test("a write of the upper half behind the split in the log is done by the child alone, where it is asked again")
  func writesBehind() throws {
    let world = try cluster(of: 3, seed: 12, partitions: 1)
    let leader = try #require(world.leader(ofKey: "k1"))
    let node = try #require(world.hosts[leader]?.node)
    // With the oracle elsewhere some writes wait for their versions when the split is proposed, and come behind it.
    if let catalog = node.catalog.replica, catalog.leads {
      catalog.transferLeadership(to: try #require(catalog.core.membership.voters.first { $0.node != leader }))
      try #require(
        world.run(milliseconds: 5_000) { world.hosts.values.contains { $0.node.leads(.catalog) && $0.id != leader } })
    }
    var (isSplit, behind) = (false, 0)
    node.onApply = { group, entry in
      guard group.rawValue == 1, let arc = node.partitions.first(where: { $0.group == group })?.arc else { return }
      guard isSplit else {
        isSplit = SplitCommand.isOne(entry.payload)
        return
      }
      _ = try? PartitionCommand.decode(entry.payload) { write in
        if !arc.contains(Position(ofBytes: entry.payload, range: write.key)) { behind += 1 }
      }
    }
    world.send(.with { $0.split = .with { $0.group = 1 } }, to: leader) { _ in }
    var answers: [UInt64: WireResponse.OneOf_Body] = [:]
    for id in 1...400 as ClosedRange<UInt64> {
      world.send(SimulatedWorld.write("k\(id)", "v\(id)", id: id), to: leader) { answers[id] = $0 }
      if id.isMultiple(of: 10) { world.run(milliseconds: 1) }
    }
    world.run(milliseconds: 10_000) { answers.count == 400 }
    #expect(isSplit && behind > 0)
    #expect(world.settle())
    for (id, answer) in answers { #expect(world.get("k\(id)", at: try #require(answer.version)) == "v\(id)") }
  }

  @Test("kills at any moment of a split lose nothing", arguments: 1...30 as ClosedRange<UInt64>)
  func kills(seed: UInt64) throws {
    let world = try cluster(of: 3, seed: seed)
    var random = SplitMix64(seed: seed)
    for id in 1...60 as ClosedRange<UInt64> { #expect(world.put("k\(id)", "v\(id)", id: id) != nil) }
    let part = try #require(try map(world).partitions.first)
    let request = WireRequest.with {
      $0.split = .with {
        $0.group = part.group
        $0.bits = part.bits
      }
    }
    world.send(request, to: NodeID(rawValue: 1)) { _ in }
    for round in 0..<4 as Range<UInt64> {
      world.run(milliseconds: UInt64.random(in: 0...60, using: &random))
      let victim = NodeID(rawValue: UInt32.random(in: 1...3, using: &random))
      if Bool.random(using: &random) { world.kill(victim) } else { world.exit(victim) }
      world.run(milliseconds: UInt64.random(in: 0...900, using: &random))
      try world.start(victim)
      _ = world.put("extra\(round)", "v", id: 2_000 + round)
    }
    var isDone = false
    for _ in 0..<200 where !isDone {
      if case .split(let answer)? = world.ask(request) { isDone = answer.done }
      world.run(milliseconds: 50)
    }
    #expect(isDone, "seed \(seed)")
    #expect(world.settle(), "seed \(seed): \(world.ailments)")
    #expect(try map(world).partitions.count == 3, "seed \(seed)")
    for id in 1...60 as ClosedRange<UInt64> { #expect(world.get("k\(id)") == "v\(id)", "seed \(seed)") }
    // Whole again from what is on the disks.
    for node in world.nodes { world.kill(node) }
    for node in world.nodes { try world.start(node) }
    #expect(world.settle(), "seed \(seed): after a loss of power")
    for id in 1...60 as ClosedRange<UInt64> { #expect(world.get("k\(id)") == "v\(id)", "seed \(seed)") }
  }

  @Test("split-while-adding: of a split and a move one is refused, and no position is left over or owned twice")
  func whileAdding() throws {
    var (moves, splits, refused) = (0, 0, 0)
    for seed in 1...8 as ClosedRange<UInt64> {
      let world = try cluster(of: 3, seed: seed)
      var random = SplitMix64(seed: seed)
      for id in 1...60 as ClosedRange<UInt64> { #expect(world.put("k\(id)", "v\(id)", id: id) != nil) }
      _ = try world.join()
      for _ in 0..<300 {
        let parts = world.hosts.values.compactMap { $0.node.catalog.catalog?.state.partitions }.max {
          $0.count < $1.count
        }
        let moving = (parts ?? []).filter { $0.replicas.contains { $0.state != .voter } }
        moves += moving.count
        splits += parts?.count(where: \.hasSplit) ?? 0
        #expect(!moving.contains { $0.hasSplit }, "seed \(seed)")
        let wanted = moving.isEmpty ? parts?.filter { _ in Int.random(in: 0..<20, using: &random) == 0 } : moving
        if let parts, parts.count < 8, let part = wanted?.randomElement(using: &random) {
          let request = WireRequest.with {
            $0.split = .with {
              $0.group = part.group
              $0.bits = part.bits
            }
          }
          world.send(request, to: NodeID(rawValue: 1)) { if $0.failure != nil { refused += 1 } }
        }
        world.run(milliseconds: UInt64.random(in: 0...15, using: &random))
      }
      #expect(world.settle(), "seed \(seed): \(world.ailments)")
      try expectWholeRing(world, seed)
      for id in 1...60 as ClosedRange<UInt64> { #expect(world.get("k\(id)") == "v\(id)", "seed \(seed)") }
    }
    #expect(moves > 0 && splits > 0 && refused > 0, "\(moves) moves, \(splits) splits, \(refused) refused")
  }

  /// Every position is owned once, and every node has the replicas that the map gives it, and no others.
  private func expectWholeRing(_ world: SimulatedWorld, _ seed: UInt64) throws {
    let parts = try map(world).partitions
    let arcs = try parts.map { try Arc(validating: UInt64($0.bits), prefix: $0.prefix) }
    #expect(arcs.reduce(0) { $0 + 1 / Double(1 << $1.bits) } == 1, "seed \(seed)")
    for (place, arc) in arcs.enumerated() {
      #expect(!arcs[..<place].contains { $0.contains(arc) || arc.contains($0) }, "seed \(seed)")
    }
    for host in world.hosts.values {
      let wanted = parts.filter { $0.voters.contains { ReplicaID(rawValue: $0).node == host.id } }.map(\.group)
      #expect(Set(host.node.groups.map(\.rawValue)).subtracting([0]) == Set(wanted), "seed \(seed), node \(host.id)")
    }
  }

  @Test("what a command says survives its encoding")
  func encoding() throws {
    let pairs = (1...3).map { number in
      (
        parent: ReplicaID(node: NodeID(rawValue: UInt32(number)), incarnation: 4),
        child: ReplicaID(node: NodeID(rawValue: UInt32(number)), incarnation: 9)
      )
    }
    let command = SplitCommand(child: GroupID(rawValue: 17), bits: 4, replicas: pairs)
    #expect(try SplitCommand(payload: command.encode()) == command)
    #expect(throws: ByteError.self) { try SplitCommand(payload: Array(command.encode().dropLast())) }
    #expect(throws: ByteError.self) { try SplitCommand(payload: command.encode() + [0]) }
  }
}

extension SimulatedWorld {
  /// What the nodes say of their replicas, for a test that fails.
  fileprivate var ailments: String {
    statuses.map { status in
      let groups = status.groups.map { group in
        "\(group.group):\(group.role) \(group.applied)/\(group.last) of \(group.voters.count)+\(group.learners.count)"
      }
      return "node \(status.node), \(status.moving) moving, \(groups.joined(separator: ", ")) \(status.problems)"
    }.joined(separator: "; ") + " \(stops)"
  }
}
