import Bytes
import Simulation
import Testing
import Wire

@testable import Node

@Suite("Named snapshots")
struct NamedSnapshotTests {
  private func world(seed: UInt64, nodes: Int) throws -> SimulatedWorld {
    let world = try SimulatedWorld(seed: seed, partitions: 4)
    for _ in 1..<nodes { _ = try world.join() }
    try #require(world.settle(), "seed \(seed)")
    for host in world.hosts.values { host.node.keepVersions(milliseconds: 5_000) }
    return world
  }

  private func create(_ name: String, _ version: Version, in world: SimulatedWorld) -> WireResponse.OneOf_Body? {
    world.ask(
      .with {
        $0.timeoutMs = 8_000
        $0.createSnapshot = .with {
          $0.name = name
          $0.version = version.rawValue
        }
      })
  }

  private func names(_ world: SimulatedWorld) -> [String]? {
    guard
      case .snapshots(let answer)? = world.ask(
        .with {
          $0.timeoutMs = 8_000
          $0.snapshots = WireSnapshotsRequest()
        })
    else { return nil }
    return answer.snapshots.map(\.name)
  }

  /// Writes until the floor is above a version, and all that may go has gone.
  private func outlive(_ version: Version, in world: SimulatedWorld) {
    for id in 1_000...1_040 as ClosedRange<UInt64> {
      _ = world.put("other", "v", id: id)
      world.run(milliseconds: 1_000)
      for host in world.hosts.values { for partition in host.node.partitions { partition.flush() } }
    }
    for host in world.hosts.values { #expect(host.node.partitions.allSatisfy { $0.store.retention.floor > version }) }
  }

  @Test("what a snapshot names is read after its time, through restarts and by new replicas, until the name is deleted")
  func pinned() throws {
    let world = try world(seed: 11, nodes: 2)
    for id in 1...19 as ClosedRange<UInt64> { _ = world.put("k\(id)", "old", id: id) }
    let first = try #require(world.put("k20", "old", id: 20))
    #expect(create("before", first, in: world)?.failure == nil)
    for id in 101...120 as ClosedRange<UInt64> { _ = world.put("k\(id - 100)", id % 2 == 0 ? "new" : nil, id: id) }
    outlive(first, in: world)
    _ = try world.join()
    try #require(world.settle())
    for id in Array(world.hosts.keys) {
      world.kill(id)
      try world.start(id)
    }
    #expect(world.settle())
    outlive(first, in: world)
    for number in 1...20 { #expect(world.get("k\(number)", at: first) == "old", "k\(number)") }
    #expect(names(world) == ["before"])
    let between = Version(rawValue: first.rawValue + 1)
    #expect(world.ask(SimulatedWorld.read("k1", at: between))?.failure?.code == .notRetained)

    guard
      case .deleteSnapshot(let answer)? = world.ask(
        .with {
          $0.timeoutMs = 8_000
          $0.deleteSnapshot = .with { $0.name = "before" }
        })
    else { throw TestFailure() }
    #expect(answer.found)
    world.run(milliseconds: 2_000)
    #expect(world.ask(SimulatedWorld.read("k1", at: first))?.failure?.code == .notRetained)
    #expect(names(world) == [])
  }

  @Test("a version below the floor is refused with the floor, one of the future too, and a name stands for one version")
  func refused() throws {
    let world = try world(seed: 12, nodes: 1)
    let first = try #require(world.put("k", "old", id: 1))
    outlive(first, in: world)
    let failure = create("late", first, in: world)?.failure
    #expect(failure?.code == .notRetained)
    #expect(failure.map { Version(rawValue: $0.floor) > first } == true)
    let now = try #require(world.put("k", "new", id: 2))
    #expect(create("early", now.advanced(by: 1 << 40), in: world)?.failure?.code == .futureVersion)
    #expect(create("good", now, in: world)?.failure == nil)
    #expect(create("good", now, in: world)?.failure == nil)
    let next = try #require(world.put("k", "newer", id: 3))
    #expect(create("good", next, in: world)?.failure?.code == .refused)
    for name in ["", "a b", "-x", "a/b", String(repeating: "n", count: 101)] {
      #expect(create(name, now, in: world)?.failure?.code == .invalid, "\(name)")
    }
    #expect(names(world) == ["good"])
  }

  private struct TestFailure: Error {}
}
