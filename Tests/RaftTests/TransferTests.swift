import Bytes
import Testing

@testable import Raft

@Suite("Handing leadership over")
struct TransferTests {
  private func transfer(_ cluster: TestCluster, to number: UInt32) throws {
    let leader = try #require(cluster.leader)
    try cluster.with(leader) { core, now in try core.transferLeadership(to: replica(number), now: now) }
  }

  @Test("an up-to-date follower takes over at once, without waiting for a timeout")
  func quick() throws {
    let cluster = TestCluster(voters: [1, 2, 3])
    _ = cluster.elect(1)
    try transfer(cluster, to: 3)
    cluster.settle()
    #expect(cluster.leader?.id == replica(3))
    #expect(cluster.node(1).core?.isLeader == false)
  }

  @Test("a follower that lags is brought up to date first, and proposals wait meanwhile")
  func catchUp() throws {
    let cluster = TestCluster(voters: [1, 2, 3])
    let leader = cluster.elect(1)
    cluster.partition([replica(3)])
    for value: UInt8 in 0..<5 { try cluster.propose(leader, [value]) }
    cluster.settle()
    cluster.heal()
    try transfer(cluster, to: 3)
    #expect(throws: RaftError.transferring(to: replica(3))) { try cluster.propose(leader, [9]) }
    #expect(leader.core?.status.transferTarget == replica(3))
    cluster.run(milliseconds: 300)
    #expect(cluster.leader?.id == replica(3))
    #expect(cluster.node(3).core?.commit == index(8))
  }

  @Test("transfer-under-reads: the target is unreachable; nothing stale is read, and the old leader serves again")
  func underReads() throws {
    let cluster = TestCluster(voters: [1, 2, 3])
    let leader = cluster.elect(1)
    try cluster.propose(leader, [1])
    cluster.run(milliseconds: 200)
    cluster.isCut = { $0.to == replica(3) || $0.from == replica(3) }
    try transfer(cluster, to: 3)
    #expect(!cluster.holdsLease(leader), "no lease while someone else may be elected on our word")
    cluster.read(leader)
    cluster.settle()
    #expect(leader.reads.count == 1, "reads confirmed by a quorum go on")
    cluster.run(milliseconds: 1050)
    #expect(leader.core?.isLeader == true)
    #expect(leader.core?.status.transferTarget == ReplicaID.none)
    try cluster.propose(leader, [2])
    cluster.settle()
    #expect(leader.machine.index == index(4))
    cluster.run(milliseconds: 200)
    #expect(cluster.holdsLease(leader))
    #expect(cluster.history.faults == [])
  }

  @Test("the order to campaign is worthless once the leader that gave it may hold a lease again")
  func staleOrder() throws {
    let cluster = TestCluster(voters: [1, 2, 3])
    let leader = cluster.elect(1)
    cluster.run(milliseconds: 200)
    cluster.recordsMessages = true
    cluster.isCut = { $0.kind == .timeoutNow }
    try transfer(cluster, to: 3)
    let order = try #require(cluster.delivered.last { $0.kind == .timeoutNow })
    while !cluster.holdsLease(leader) { cluster.run(milliseconds: 10) }
    cluster.heal()
    cluster.with(cluster.node(3)) { core, now in core.step(order, now: now) }
    cluster.settle()
    #expect(cluster.node(3).core?.status.role == .follower)
    #expect(cluster.leader?.id == leader.id)
  }

  @Test("a leader that gave a transfer up holds no lease until the candidacy that it asked for must be over")
  func leaseAfterGivingUp() throws {
    let cluster = TestCluster(voters: [1, 2, 3])
    let leader = cluster.elect(1)
    cluster.isCut = { $0.to == replica(3) && $0.kind == .append }
    try cluster.propose(leader, [1])
    try transfer(cluster, to: 3)
    cluster.run(milliseconds: 800)
    // Only now the target catches up, and is told; the order is still under way when the transfer is given up.
    cluster.isCut = { $0.kind == .timeoutNow }
    cluster.run(milliseconds: 300)
    #expect(leader.core?.status.transferTarget == ReplicaID.none)
    #expect(!cluster.holdsLease(leader))
    cluster.run(milliseconds: 1200)
    #expect(cluster.holdsLease(leader))
  }

  @Test("a candidacy on behalf of the leader ends in time, even if the votes come in later")
  func lateVotes() throws {
    let cluster = TestCluster(voters: [1, 2, 3])
    let leader = cluster.elect(1)
    cluster.run(milliseconds: 200)
    cluster.isCut = { $0.kind == .vote }
    try transfer(cluster, to: 3)
    cluster.settle()
    let candidate = cluster.node(3)
    #expect(candidate.core?.status.role == .candidate)
    let next = try #require(candidate.core?.term)
    cluster.isCut = { _ in true }
    cluster.now += 1000 * millisecond
    let vote = Message(kind: .voteResponse, from: replica(2), to: candidate.id, term: next)
    cluster.with(candidate) { core, now in core.step(vote, now: now) }
    #expect(candidate.core?.isLeader == false)
    #expect(leader.id == replica(1))
  }

  @Test("only voters can take over, and only from the leader")
  func targets() throws {
    let cluster = TestCluster(voters: [1, 2, 3], learners: [4])
    _ = cluster.elect(1)
    for wrong: UInt32 in [1, 4, 9] {
      #expect(throws: RaftError.invalidTransferTarget(replica(wrong))) { try transfer(cluster, to: wrong) }
    }
    #expect(throws: RaftError.notLeader(hint: replica(1))) {
      try cluster.with(cluster.node(2)) { core, now in try core.transferLeadership(to: replica(3), now: now) }
    }
  }

  @Test("an order to campaign from a replica that is not the leader is ignored")
  func forgedOrder() {
    let cluster = TestCluster(voters: [1, 2, 3])
    let leader = cluster.elect(1)
    let target = cluster.node(3)
    let forged = Message(
      kind: .timeoutNow, from: replica(2), to: target.id, term: leader.core?.term ?? .zero,
      echo: target.clock(cluster.now))
    cluster.with(target) { core, now in core.step(forged, now: now) }
    #expect(target.core?.status.role == .follower)
  }
}
