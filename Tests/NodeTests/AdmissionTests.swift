import Bytes
import Raft
import Simulation
import Testing
import Wire

@testable import Node

@Suite("Learners vote once they hold what the voters do")
struct AdmissionTests {
  private static let voters = (1...3).map { ReplicaID(node: NodeID(rawValue: $0), incarnation: 1) }
  private static let learner = ReplicaID(node: NodeID(rawValue: 4), incarnation: 9)

  private func verdict(_ voters: [UInt8?], _ learner: UInt8?) -> Admissions.Verdict {
    let roots = zip(Self.voters, voters).map { ($0, $1) } + [(Self.learner, learner)]
    let report = WireCheckReport.with {
      $0.replicas = roots.map { replica, root in
        .with {
          $0.replica = replica.rawValue
          if let root { $0.root = .init([root]) }
        }
      }
    }
    return Admissions.verdict(of: report, on: Self.learner, voters: Self.voters)
  }

  @Test("the sum must be the one that a majority of the voters have; the learner's own counts for none")
  func verdicts() {
    #expect(verdict([1, 1, 1], 1) == .equal)
    #expect(verdict([1, 1, nil], 1) == .equal)
    #expect(verdict([1, 1, 2], 1) == .equal)
    #expect(verdict([1, 1, 2], 2) == .differs)
    #expect(verdict([1, 1, 1], 2) == .differs)
    #expect(verdict([1, nil, nil], 1) == .unknown)
    #expect(verdict([1, 2, nil], 1) == .unknown)
    #expect(verdict([1, 1, 1], nil) == .unknown)
  }

  @Test("a learner that differs is replaced and never votes", arguments: 1...4 as ClosedRange<UInt64>)
  func differing(seed: UInt64) throws {
    let world = try SimulatedWorld(seed: seed, partitions: 4)
    for _ in 1..<3 { _ = try world.join() }
    try #require(world.settle(), "seed \(seed): not healthy at the start")
    for id in 1...100 as ClosedRange<UInt64> { #expect(world.put("k\(id)", "v\(id)", id: id) != nil) }
    let joiner = try world.join()
    var odd: ReplicaID?
    var hasVoted = false
    world.run(milliseconds: 60_000) {
      if odd == nil, let partition = world.hosts[joiner]?.node.partitions.first(where: \.hasState),
        partition.replica?.core.membership.learners.contains(partition.replicaID) == true
      {
        partition.store.apply(Record(key: Key("extra"), version: Version(rawValue: 5), value: [1]))
        odd = partition.replicaID
      }
      guard let odd else { return false }
      hasVoted =
        hasVoted
        || world.hosts.values.flatMap(\.node.partitions).contains {
          $0.replica?.core.membership.voters.contains(odd) == true
        }
      return false
    }
    #expect(odd != nil && !hasVoted, "seed \(seed)")
    #expect(world.settle(), "seed \(seed)")
    for group in 1...4 as ClosedRange<UInt32> {
      let report = try #require(world.verify(group), "seed \(seed)").report
      #expect(report.outcomes == [.equal], "seed \(seed): \(report)")
    }
    #expect(world.hosts[joiner]?.node.partitions.isEmpty == false, "seed \(seed)")
    for id in 1...100 as ClosedRange<UInt64> { #expect(world.get("k\(id)") == "v\(id)", "seed \(seed)") }
  }
}
