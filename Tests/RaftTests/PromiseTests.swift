import Bytes
import Testing

@testable import Raft

@Suite("What replicas remember of each other's promises")
struct PromiseTests {
  private func promise(of number: UInt32, to node: TestNode) -> Promise? { node.core?.promise(of: replica(number)) }

  /// Has others elect another leader, whom the one before then follows.
  private func replace(_ leader: TestNode, in cluster: TestCluster) throws {
    cluster.partition([leader.id])
    try #require(cluster.run { $0.leaders.contains { $0.id != leader.id } && leader.core?.isLeader == false })
    cluster.heal()
    cluster.run(milliseconds: 500)
    #expect(leader.core?.isLeader == false)
  }

  @Test("a leader remembers what each has acknowledged and is committed, also when it leads no more")
  func acknowledged() throws {
    let cluster = TestCluster(voters: [1, 2, 3])
    let leader = cluster.elect(1)
    cluster.isCut = { $0.to == replica(3) && $0.kind == .append }
    let entry = try #require(try cluster.propose(leader, [1]))
    cluster.settle()
    #expect(promise(of: 2, to: leader) == Promise(term: term(2), index: entry))
    #expect(try #require(promise(of: 3, to: leader)).index < entry)
    cluster.heal()
    cluster.run(milliseconds: 500)
    #expect(promise(of: 3, to: leader) == Promise(term: term(2), index: entry))
    try replace(leader, in: cluster)
    #expect(try #require(promise(of: 3, to: leader)).index >= entry)
  }

  @Test("what is acknowledged and not committed may be undone, and is no promise")
  func uncommitted() throws {
    let cluster = TestCluster(voters: [1, 2, 3, 4, 5])
    let leader = cluster.elect(1)
    let committed = try #require(leader.core?.commit)
    cluster.isCut = { ![replica(1), replica(2)].contains($0.to) && $0.kind == .append }
    let entry = try #require(try cluster.propose(leader, [1]))
    cluster.settle()
    #expect(leader.core?.status.peers.first { $0.id == replica(2) }?.match == entry)
    #expect(promise(of: 2, to: leader)?.index == committed)
  }

  @Test("a follower remembers how far the leader said that its own log is durable")
  func leaders() throws {
    let cluster = TestCluster(voters: [1, 2, 3])
    let leader = cluster.elect(1)
    let entry = try #require(try cluster.propose(leader, [1]))
    cluster.run(milliseconds: 500)
    #expect(promise(of: 1, to: cluster.node(2)) == Promise(term: term(2), index: entry))
    try replace(leader, in: cluster)
    #expect(try #require(promise(of: 1, to: cluster.node(2))).index >= entry)
  }

  @Test("a candidate remembers who gave it a vote")
  func votes() throws {
    let cluster = TestCluster(voters: [1, 2, 3])
    let leader = cluster.elect(1)
    #expect([2, 3].contains { promise(of: $0, to: leader)?.term == term(2) })
    #expect(promise(of: 4, to: leader) == nil && promise(of: 1, to: leader) == nil)
  }
}
