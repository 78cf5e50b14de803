import Bytes
import Testing

@testable import Raft

@Suite("Reads and leases")
struct ReadTests {
  @Test("a read is confirmed by a quorum, at the commit index of when it was asked for or a later one")
  func confirmed() throws {
    let cluster = TestCluster(voters: [1, 2, 3])
    let leader = cluster.elect(1)
    try cluster.propose(leader, [1])
    cluster.settle()
    let context = cluster.read(leader)
    #expect(leader.reads.isEmpty, "not before a quorum has answered")
    cluster.settle()
    #expect(leader.reads == [ReadState(context: context, index: index(3))])
  }

  @Test("reads asked for between two Readys share one heartbeat to each peer")
  func sharedRound() throws {
    let cluster = TestCluster(voters: [1, 2, 3])
    let leader = cluster.elect(1)
    cluster.recordsMessages = true
    try cluster.with(leader) { core, now in
      for context: UInt64 in 1...1000 { try core.readIndex(context: context, now: now) }
    }
    #expect(cluster.delivered.count { $0.kind == .heartbeat } == 2)
    cluster.settle()
    #expect(leader.reads.map(\.context) == Array(1...1000))
  }

  @Test("a single voter answers at once")
  func alone() {
    let cluster = TestCluster(voters: [1])
    cluster.read(cluster.node(1))
    #expect(cluster.node(1).reads.count == 1)
  }

  @Test("read-before-own-commit: a new leader's reads wait until an entry of its own term is committed")
  func beforeOwnCommit() throws {
    let cluster = TestCluster(voters: [1, 2, 3])
    let old = cluster.elect(1)
    try cluster.propose(old, [1])
    cluster.settle()
    old.crash()
    cluster.run(milliseconds: 1000)
    cluster.isCut = { $0.kind == .appendResponse }
    #expect(cluster.run(within: 5000) { $0.leader != nil })
    let leader = try #require(cluster.leader)
    cluster.read(leader)
    cluster.run(milliseconds: 300)
    #expect(leader.core?.hasCommittedInTerm == false)
    #expect(leader.reads.isEmpty)
    #expect(!cluster.holdsLease(leader))
    cluster.heal()
    cluster.run(milliseconds: 300)
    #expect(leader.reads.count == 1)
    #expect(cluster.history.faults == [])
  }

  @Test("reads of a leader that lost its leadership are rejected, never answered")
  func rejected() {
    let cluster = TestCluster(voters: [1, 2, 3])
    let leader = cluster.elect(1)
    cluster.partition([leader.id])
    let context = cluster.read(leader)
    cluster.run(milliseconds: 1500)
    #expect(leader.reads.isEmpty)
    #expect(leader.rejectedReads == [context])
    #expect(throws: RaftError.self) {
      try cluster.with(leader) { core, now in try core.readIndex(context: 9, now: now) }
    }
  }

  @Test("answers of an earlier round confirm no later read")
  func oldAnswers() throws {
    let cluster = TestCluster(voters: [1, 2, 3])
    let leader = cluster.elect(1)
    cluster.isCut = { $0.to == leader.id }
    let first = cluster.read(leader)
    cluster.settle()
    let round = try #require(leader.core?.lastRound)
    cluster.isCut = { _ in true }
    let second = cluster.read(leader)
    let late = Message(
      kind: .heartbeatResponse, from: replica(2), to: leader.id, term: leader.core?.term ?? .zero, context: round)
    cluster.with(leader) { core, now in core.step(late, now: now) }
    #expect(leader.reads.map(\.context) == [first])
    #expect(second != first)
  }

  @Test("a follower reads through its leader, and is told when there is none")
  func follower() {
    let cluster = TestCluster(voters: [1, 2, 3], learners: [4])
    #expect(throws: RaftError.notLeader(hint: .none)) {
      try cluster.with(cluster.node(2)) { core, now in try core.askReadIndex(context: 1, now: now) }
    }
    _ = cluster.elect(1)
    for number: UInt32 in [2, 4] {
      let context = cluster.readFromFollower(cluster.node(number))
      cluster.settle()
      #expect(cluster.node(number).reads == [ReadState(context: context, index: index(2))])
    }
    cluster.isCut = { $0.to == replica(1) && $0.kind == .heartbeatResponse }
    let lost = cluster.readFromFollower(cluster.node(2))
    cluster.settle()
    cluster.isCut = { $0.to == replica(1) }
    cluster.run(milliseconds: 1200)
    #expect(cluster.node(2).rejectedReads == [lost])
  }

  @Test("the number of reads that wait is bounded")
  func bounded() {
    var options = RaftOptions()
    options.maxPendingReads = 3
    let cluster = TestCluster(voters: [1, 2, 3], options: options)
    let leader = cluster.elect(1)
    cluster.partition([leader.id])
    for _ in 0..<3 { cluster.read(leader) }
    #expect(throws: RaftError.tooManyReads(limit: 3)) {
      try cluster.with(leader) { core, now in try core.readIndex(context: 99, now: now) }
    }
    cluster.heal()
    cluster.run(milliseconds: 200)
    cluster.read(leader)
    cluster.settle()
    #expect(leader.reads.count == 4)
  }

  @Test("a lease counts from when messages were sent, not from when they were answered")
  func leaseCountsFromSending() {
    let cluster = TestCluster(voters: [1, 2, 3])
    let leader = cluster.elect(1)
    #expect(cluster.holdsLease(leader))
    cluster.isCut = { $0.from == leader.id }
    cluster.run(milliseconds: 600)
    // An answer that comes now, to a heartbeat of 600 ms ago, is worth 300 ms.
    let sent = leader.clock(cluster.now) - 600 * millisecond
    let late = Message(
      kind: .heartbeatResponse, from: replica(2), to: leader.id, term: leader.core?.term ?? .zero, echo: sent)
    cluster.with(leader) { core, now in core.step(late, now: now) }
    cluster.run(milliseconds: 290)
    #expect(cluster.holdsLease(leader))
    cluster.run(milliseconds: 20)
    #expect(!cluster.holdsLease(leader))
  }

  @Test("frozen-leader: a leader that was frozen past its lease serves nothing old after it thaws")
  func frozenLeader() throws {
    let cluster = TestCluster(voters: [1, 2, 3])
    let leader = cluster.elect(1)
    cluster.run(milliseconds: 300)
    #expect(cluster.holdsLease(leader))
    leader.frozenUntil = cluster.now + 20_000 * millisecond
    #expect(
      cluster.run(within: 5000) { $0.leaders.contains { $0.id != leader.id && $0.core?.hasCommittedInTerm == true } })
    try cluster.propose(try #require(cluster.leader), [1])
    cluster.run(milliseconds: 100)
    // Thawed, before any message or tick: what was queued on it asks first.
    leader.frozenUntil = 0
    #expect(leader.core?.isLeader == true)
    #expect(!cluster.holdsLease(leader))
    let context = cluster.read(leader)
    cluster.run(milliseconds: 500)
    #expect(leader.reads.isEmpty)
    #expect(leader.rejectedReads == [context])
    #expect(cluster.history.faults == [])
  }

  @Test("an answer that claims to answer the future is dropped")
  func futureEcho() {
    let cluster = TestCluster(voters: [1, 2, 3])
    let leader = cluster.elect(1)
    let liar = Message(
      kind: .heartbeatResponse, from: replica(2), to: leader.id, term: leader.core?.term ?? .zero, echo: .max)
    cluster.with(leader) { core, now in core.step(liar, now: now) }
    #expect(leader.core?.status.violations == 1)
  }
}
