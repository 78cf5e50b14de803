import Bytes
import Simulation
import Testing
import Wire

@testable import Node

@Suite("How long versions are kept")
struct RetentionTests {
  private func world(seed: UInt64, nodes: Int = 1, keep: UInt64) throws -> SimulatedWorld {
    let world = try SimulatedWorld(seed: seed, partitions: 4)
    for _ in 1..<nodes { _ = try world.join() }
    try #require(world.settle(), "seed \(seed)")
    for host in world.hosts.values { host.node.keepVersions(milliseconds: keep) }
    return world
  }

  private func floors(_ world: SimulatedWorld) -> Set<Version> {
    Set(world.hosts.values.flatMap { $0.node.partitions.map(\.store.retention.floor) })
  }

  @Test("versions are kept for 24 hours unless the cluster is told otherwise")
  func usual() throws {
    let world = try SimulatedWorld(seed: 1)
    world.run(milliseconds: 1_000)
    #expect(world.statuses.first?.retentionMs == 86_400_000)
    let first = try #require(world.put("k", "one", id: 1))
    world.run(milliseconds: 60_000)
    _ = world.put("k", "two", id: 2)
    #expect(world.get("k", at: first) == "one")
  }

  @Test("a version that has left retention is refused with the oldest one kept; that one and the latest are read")
  func refused() throws {
    let world = try world(seed: 2, keep: 10_000)
    let first = try #require(world.put("k", "one", id: 1))
    world.run(milliseconds: 5_000)
    let second = try #require(world.put("k", "two", id: 2))
    #expect(world.get("k", at: first) == "one")
    world.run(milliseconds: 30_000)
    let failure = world.ask(SimulatedWorld.read("k", at: first))?.failure
    #expect(failure?.code == .notRetained)
    let floor = Version(rawValue: try #require(failure?.floor))
    #expect(floor >= second && floor > first)
    #expect(failure?.message.contains("\(floor)") == true)
    #expect(world.get("k", at: floor) == "two")
    #expect(world.get("k") == "two")
    #expect(world.ask(Self.range(at: first))?.failure?.code == .notRetained)
  }

  @Test("a latest version is of now, before the first write and long after the last: the floor leaves it readable")
  func latest() throws {
    let world = try world(seed: 7, nodes: 3, keep: 60_000)
    func latest() throws -> Version {
      guard case .now(let answer)? = world.ask(.with { $0.now = .init() }) else { return .zero }
      return Version(rawValue: answer.version)
    }
    for id in 1...3 as ClosedRange<UInt64> {
      let before = try latest()
      #expect(try before > .zero && latest() == before, "no version is spent on a question that follows another")
      let written = try #require(world.put("k", "\(id)", id: id))
      #expect(written > before)
      world.run(milliseconds: 30_000)
      #expect(floors(world).allSatisfy { $0 <= before }, "what begins behind the latest version sees the next write")
      world.run(milliseconds: 600_000)
    }
  }

  @Test("versions that have left retention give their room back, without being asked")
  func room() throws {
    let world = try world(seed: 6, nodes: 1, keep: 10_000)
    let host = try #require(world.hosts.values.first)
    func historyBytes() -> UInt64 {
      host.node.partitions.reduce(0) { $0 + $1.store.historyLevels.reduce(0) { $0 + $1.bytes } }
    }
    let value = String(repeating: "v", count: 2_000)
    for id in 1...300 as ClosedRange<UInt64> { #expect(world.put("k\(id % 10)", "\(id)" + value, id: id) != nil) }
    for partition in host.node.partitions { partition.flush() }
    world.run(milliseconds: 1_000)
    #expect(historyBytes() > 300_000)
    for id in 1_000...1_020 as ClosedRange<UInt64> {
      world.run(milliseconds: 1_000)
      _ = world.put("other", "v", id: id)
    }
    #expect(historyBytes() == 0)
    for id in 0..<10 { #expect(world.get("k\(id)")?.hasSuffix(value) == true) }
  }

  @Test("every replica has the same floor, and has it after a restart")
  func replicas() throws {
    let world = try world(seed: 3, nodes: 3, keep: 10_000)
    for id in 1...20 as ClosedRange<UInt64> { #expect(world.put("k\(id)", "v", id: id) != nil) }
    world.run(milliseconds: 30_000)
    let before = floors(world)
    #expect(before.count == 1 && before.first != .zero, "\(before)")
    for id in Array(world.hosts.keys) {
      world.kill(id)
      try world.start(id)
    }
    #expect(world.settle())
    let after = floors(world)
    #expect(after.count == 1 && after.min()! >= before.min()!, "\(before) \(after)")
    #expect(world.get("k7") == "v")
  }

  @Test("floor-edge: a range that is under way is not broken by the floor, however long it takes; a new one is refused")
  func runningRange() throws {
    let world = try world(seed: 4, nodes: 3, keep: 5_000)
    for id in 1...60 as ClosedRange<UInt64> { #expect(world.put("k\(100 + id)", "old", id: id) != nil) }
    let at = try #require(world.statuses.flatMap(\.groups).map(\.lastVersion).max())
    let leader = try #require(world.leader(ofKey: "k150"))
    let groups = try #require(world.hosts[leader]).node.partitions.filter { $0.replica?.leads == true }.map(\.group)
    var read = 0
    var from = ""
    var isDone = false
    for id in 1_000...2_000 as ClosedRange<UInt64> where !isDone {
      let request = Self.range(at: Version(rawValue: at), groups: groups, from: from, limit: 2)
      guard case .range(let part)? = world.ask(request, of: leader) else {
        Issue.record("a part was refused after \(read) records")
        return
      }
      var reader = ByteReader(part.records.array)
      while !reader.isAtEnd {
        let record = try Record(from: &reader)
        #expect(record.value == Array("old".utf8))
        from = String(decoding: record.key.bytes, as: UTF8.self) + "\0"
        read += 1
      }
      isDone = !part.more
      #expect(world.put("k\(100 + id % 60)", "new", id: id) != nil)
      world.run(milliseconds: 3_000)
    }
    #expect(isDone && read > 10)
    #expect(floors(world).allSatisfy { $0.rawValue <= at } || isDone)
    world.run(milliseconds: 20_000)
    #expect(floors(world).allSatisfy { $0.rawValue > at })
    let late = Self.range(at: Version(rawValue: at), groups: groups, from: "", limit: 2)
    #expect(world.ask(late, of: leader)?.failure?.code == .notRetained)
  }

  @Test("a member that is gone holds the floor only as long as a read of it could be under way")
  func silentMember() throws {
    let world = try world(seed: 5, nodes: 3, keep: 5_000)
    var id: UInt64 = 0
    func write(seconds: Int) {
      for _ in 0..<seconds {
        id += 1
        _ = world.put("k", "v", id: id)
        world.run(milliseconds: 1_000)
      }
    }
    write(seconds: 20)
    let victim = try #require(world.hosts.values.first { $0.node.catalog.replica?.leads != true }).id
    world.kill(victim)
    write(seconds: 10)
    let held = try #require(floors(world).max())
    #expect(held > .zero)
    write(seconds: 30)
    #expect(floors(world).max() == held)
    write(seconds: 40)
    #expect(try #require(floors(world).min()) > held)
  }

  @Test("a replica that receives its state does not answer for versions that were dropped from it")
  func transferred() throws {
    var state = PartitionState(
      replica: ReplicaID(rawValue: 1), arc: .ring, epoch: 1, lastVersion: Version(rawValue: 9), sessions: [1, 2])
    state.floor = Version(rawValue: 7)
    state.pins = [Version(rawValue: 3), Version(rawValue: 5)]
    #expect(PartitionState(untrusted: state.encode()) == state)
    #expect(PartitionState(untrusted: Array(state.encode().dropLast())) == nil)
  }

  private static func range(
    at version: Version, groups: [GroupID] = [GroupID(rawValue: 1)], from: String = "", limit: UInt32 = 10
  ) -> WireRequest {
    .with {
      $0.timeoutMs = 8_000
      $0.range = .with {
        $0.groups = groups.map(\.rawValue)
        $0.at = version.rawValue
        $0.min = .init(from.utf8)
        $0.limit = limit
        $0.credit = 1 << 20
      }
    }
  }
}
