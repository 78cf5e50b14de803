import Bytes
import Environment
import Simulation
import Testing
import Wire

@testable import Node

@Suite("Two nodes of three are put back from older copies, and the third remembers more")
struct OlderMajorityTests {
  private static let older = [NodeID(rawValue: 1), NodeID(rawValue: 2)]
  private static let third = NodeID(rawValue: 3)

  /// A cluster of which the two older ones forgot the last writes; none of its nodes runs.
  private func cluster(seed: UInt64) throws -> (world: SimulatedWorld, newest: Version) {
    let world = try SimulatedWorld(seed: seed, partitions: 4)
    for _ in 1..<3 { _ = try world.join() }
    try #require(world.settle())
    let copies = Self.older.compactMap { world.hosts[$0]?.disk.clone() }
    for copy in copies { copy.crash(seed: seed) }
    world.run(milliseconds: 20_000)
    let newest = try #require((1...40).compactMap { world.put("k\($0)", "new", id: $0) }.max())
    world.run(milliseconds: 2_000)
    for node in Self.older + [Self.third] { world.kill(node) }
    for (node, copy) in zip(Self.older, copies) { world.replaceDisk(of: node, with: copy) }
    return (world, newest)
  }

  @Test("the oracle stays above what the third's tables hold", arguments: 1...5 as ClosedRange<UInt64>)
  func versions(seed: UInt64) throws {
    let (world, newest) = try cluster(seed: seed)
    for node in Self.older + [Self.third] { try world.start(node) }
    world.run(milliseconds: 10_000)
    for node in Self.older + [Self.third] {
      guard case .now(let now)? = world.ask(.with { $0.now = WireNowRequest() }, of: node) else { continue }
      #expect(Version(rawValue: now.version) >= newest, "seed \(seed), node \(node)")
    }
    let next = (41...60).compactMap { world.put("n\($0)", "next", id: $0) }
    #expect(!next.isEmpty)
    for version in next { #expect(version > newest) }
  }

  @Test(
    "it is not overwritten, and what its node and a check say of it is that the two contradict each other",
    arguments: 1...3 as ClosedRange<UInt64>)
  func contradicted(seed: UInt64) throws {
    let (world, _) = try cluster(seed: seed)
    for node in Self.older { try world.start(node) }
    world.run(milliseconds: 10_000)
    for id in 101...140 as ClosedRange<UInt64> { _ = world.put("k\(id - 100)", "other", id: id) }
    try world.start(Self.third)
    world.run(milliseconds: 10_000)
    let node = try #require(world.hosts[Self.third]?.node)
    let problems = node.status().problems.filter { $0.contains("contradict each other in what is committed") }
    #expect(!problems.isEmpty, "seed \(seed): \(node.status().problems)")
    let contradicted = node.partitions.filter { $0.replica?.problem != nil }
    try #require(!contradicted.isEmpty)
    for partition in contradicted {
      let check = try #require(world.verify(partition.group.rawValue))
      for replica in check.report.replicas {
        let isThird = replica.replica == partition.replicaID.rawValue
        #expect(replica.outcome == (isThird ? .notChecked : .equal), "seed \(seed)")
        #expect(replica.words.contains("contradict each other") == isThird, "seed \(seed): \(replica.words)")
      }
    }
  }
}
