import Bytes
import Testing

@testable import Raft

@Suite("Elections")
struct ElectionTests {
  @Test("three fresh replicas agree on one leader and commit an entry of its term", arguments: [1, 2, 3, 4, 5])
  func firstElection(seed: UInt64) {
    let cluster = TestCluster(voters: [1, 2, 3], seed: seed)
    #expect(cluster.run(within: 5000) { $0.leader?.core?.hasCommittedInTerm == true })
    cluster.run(milliseconds: 500)
    #expect(cluster.leaders.count == 1)
    #expect(Set(cluster.nodes.map { $0.core?.leader }) == [cluster.leader?.id])
    #expect(Set(cluster.nodes.map { $0.core?.commit }) == [index(2)])
    #expect(cluster.history.faults == [])
  }

  @Test("a group of one leads at once, as soon as its vote and first entry are durable")
  func alone() {
    let cluster = TestCluster(voters: [1])
    #expect(cluster.node(1).core?.isLeader == true)
    #expect(cluster.node(1).core?.hasCommittedInTerm == true)
    #expect(cluster.holdsLease(cluster.node(1)))

    cluster.restart(cluster.node(1))
    #expect(cluster.node(1).core?.isLeader == true)
  }

  @Test("a group of one does not lead before its vote is durable, nor commit before its entry is")
  func aloneAndSlow() {
    let cluster = TestCluster(voters: [1])
    let node = cluster.node(1)
    node.syncsByItself = false
    cluster.restart(node)
    #expect(node.core?.status.role == .candidate)
    cluster.sync(node, 1)
    #expect(node.core?.isLeader == true)
    #expect(node.core?.hasCommittedInTerm == false)
    cluster.sync(node)
    #expect(node.core?.hasCommittedInTerm == true)
  }

  @Test("no majority, no leader")
  func minority() {
    let cluster = TestCluster(voters: [1, 2, 3])
    cluster.partition([replica(1)])
    cluster.with(cluster.node(1)) { core, now in core.campaign(now: now) }
    cluster.node(2).crash()
    cluster.run(milliseconds: 10_000)
    #expect(cluster.leaders.isEmpty)
    #expect(cluster.nodes.allSatisfy { ($0.core?.term ?? .zero) <= term(1) }, "a pre-vote starts no term")
  }

  @Test("a candidate whose log lacks entries that a majority has is not elected")
  func shorterLog() throws {
    let cluster = TestCluster(voters: [1, 2, 3])
    let leader = cluster.elect(1)
    cluster.partition([replica(3)])
    try cluster.propose(leader, [1])
    cluster.settle()
    cluster.heal()
    leader.crash()
    cluster.run(milliseconds: 5000)
    #expect(cluster.leader?.id == replica(2))
    #expect(cluster.node(3).core?.commit == cluster.node(2).core?.commit)
  }

  @Test("vote-survives-crash: a vote is durable before its answer leaves, and binds after a restart")
  func voteSurvivesCrash() {
    let cluster = TestCluster(voters: [1, 2, 3])
    let voter = cluster.node(3)
    voter.syncsByItself = false
    cluster.recordsMessages = true
    func ask(_ candidate: UInt32) {
      let request = Message(
        kind: .vote, from: replica(candidate), to: voter.id, term: term(5), index: index(1), logTerm: term(1))
      cluster.with(voter) { core, now in core.step(request, now: now) }
    }
    ask(1)
    #expect(!cluster.delivered.contains { $0.kind == .voteResponse }, "not before it is durable")
    cluster.sync(voter)
    #expect(cluster.delivered.contains { $0.kind == .voteResponse && !$0.reject && $0.to == replica(1) })

    cluster.restart(voter)
    voter.syncsByItself = true
    ask(2)
    cluster.run(milliseconds: 1000, step: 1000)
    cluster.isCut = { _ in true }
    ask(2)
    #expect(!cluster.delivered.contains { $0.kind == .voteResponse && !$0.reject && $0.to == replica(2) })
    #expect(cluster.delivered.contains { $0.kind == .voteResponse && $0.reject && $0.to == replica(2) })
  }

  @Test("a vote that was lost in a crash was never told: the replica may vote again")
  func lostVote() {
    let cluster = TestCluster(voters: [1, 2, 3])
    let voter = cluster.node(3)
    voter.syncsByItself = false
    let request = Message(kind: .vote, from: replica(1), to: voter.id, term: term(5), index: index(1), logTerm: term(1))
    cluster.with(voter) { core, now in core.step(request, now: now) }
    cluster.restart(voter)
    #expect(voter.core?.term == TestCluster.base.term)
  }

  @Test("requests for votes leave only when the candidate's term, vote and log are durable")
  func candidacyIsDurable() {
    let cluster = TestCluster(voters: [1, 2, 3])
    let node = cluster.node(1)
    node.syncsByItself = false
    cluster.recordsMessages = true
    cluster.with(node) { core, now in core.campaign(now: now) }
    cluster.settle()
    #expect(node.core?.status.role == .candidate)
    #expect(!cluster.delivered.contains { $0.kind == .vote })
    cluster.sync(node, 1)
    #expect(cluster.delivered.contains { $0.kind == .vote })
  }

  @Test("rejoin-quietly: a replica that was cut off for long changes neither leader nor term when it comes back")
  func rejoinQuietly() {
    let cluster = TestCluster(voters: [1, 2, 3])
    let leader = cluster.elect(1)
    let before = leader.core?.term
    cluster.partition([replica(3)])
    cluster.run(milliseconds: 30_000)
    #expect(cluster.node(3).core?.leader == ReplicaID.none)
    cluster.heal()
    cluster.run(milliseconds: 3000)
    #expect(cluster.leaders.map(\.id) == [leader.id])
    #expect(leader.core?.term == before)
    #expect(cluster.node(3).core?.leader == leader.id)
  }

  @Test("one-way-link: a leader that hears nobody steps down within an election timeout, and the rest elect")
  func oneWayLink() {
    let cluster = TestCluster(voters: [1, 2, 3])
    let leader = cluster.elect(1)
    cluster.isCut = { $0.to == leader.id }
    cluster.run(milliseconds: 1100)
    #expect(leader.core?.isLeader == false)
    #expect(cluster.run(within: 5000) { $0.leaders.contains { $0.id != leader.id } })
    cluster.run(milliseconds: 5000)
    #expect(cluster.leaders.count == 1)
    #expect(cluster.history.faults == [])
  }

  @Test("a leader that hears a quorum does not step down, however many others are gone")
  func quorumIsEnough() {
    let cluster = TestCluster(voters: [1, 2, 3, 4, 5])
    let leader = cluster.elect(1)
    cluster.node(4).crash()
    cluster.node(5).crash()
    cluster.run(milliseconds: 5000)
    #expect(cluster.leaders.map(\.id) == [leader.id])
  }

  @Test("a replica whose term ran ahead is freed: the answer to its lower-term leader starts a new term")
  func stuckTerm() {
    let cluster = TestCluster(voters: [1, 2, 3])
    _ = cluster.elect(1)
    cluster.partition([replica(3)])
    let ahead = Message(kind: .vote, from: replica(9), to: replica(3), term: term(40), forced: true)
    cluster.with(cluster.node(3)) { core, now in core.step(ahead, now: now) }
    cluster.run(milliseconds: 2000)
    cluster.heal()
    #expect(cluster.run(within: 10_000) { ($0.leader?.core?.term ?? .zero) > term(40) })
    cluster.run(milliseconds: 1000)
    #expect(Set(cluster.nodes.map { $0.core?.leader }).count == 1)
  }

  @Test("a replica that heard from a leader within an election timeout is silent to candidates, in every term")
  func promise() {
    let cluster = TestCluster(voters: [1, 2, 3])
    _ = cluster.elect(1)
    cluster.isCut = { _ in true }
    cluster.recordsMessages = true
    let follower = cluster.node(2)
    func ask(_ kind: Message.Kind, term: Term, forced: Bool = false) -> Int {
      let before = cluster.delivered.count
      let request = Message(
        kind: kind, from: replica(3), to: follower.id, term: term, index: index(9), logTerm: term, forced: forced)
      cluster.with(follower) { core, now in core.step(request, now: now) }
      return cluster.delivered.count - before
    }
    #expect(ask(.preVote, term: term(3)) == 0)
    #expect(ask(.vote, term: term(3)) == 0)
    #expect(follower.core?.term == term(2))
    #expect(ask(.vote, term: term(3), forced: true) == 1, "the leader itself asked for this one")
    #expect(ask(.vote, term: term(4)) == 0, "the promise was to the leader of term 2, and still holds")
    cluster.run(milliseconds: 1000, step: 1000)
    #expect(ask(.vote, term: term(9)) == 1)
  }

  @Test("a restarted replica keeps for an election timeout the promise that it may have given")
  func promiseAfterRestart() {
    let cluster = TestCluster(voters: [1, 2, 3])
    _ = cluster.elect(1)
    cluster.partition([replica(1)])
    cluster.run(milliseconds: 500)
    cluster.restart(cluster.node(2))
    cluster.run(milliseconds: 990)
    cluster.with(cluster.node(3)) { core, now in core.campaign(now: now) }
    cluster.settle()
    #expect(cluster.node(2).core?.term == term(2))
    #expect(!cluster.leaders.contains { $0.id == replica(3) })
    #expect(cluster.run(within: 5000) { $0.leaders.contains { $0.id != replica(1) } })
  }

  @Test("campaign does nothing while the replica itself is bound by its promise")
  func campaignWhilePromised() {
    let cluster = TestCluster(voters: [1, 2, 3])
    _ = cluster.elect(1)
    cluster.with(cluster.node(2)) { core, now in core.campaign(now: now) }
    cluster.settle()
    #expect(cluster.node(2).core?.status.role == .follower)
    #expect(cluster.leaders.map(\.id) == [replica(1)])
  }

  @Test("the answer to a heartbeat, which is a promise, waits until its term is durable")
  func durablePromise() {
    let cluster = TestCluster(voters: [1, 2, 3])
    let follower = cluster.node(2)
    follower.syncsByItself = false
    cluster.recordsMessages = true
    let heartbeat = Message(kind: .heartbeat, from: replica(1), to: follower.id, term: term(4), sentAt: 7)
    cluster.with(follower) { core, now in core.step(heartbeat, now: now) }
    #expect(!cluster.delivered.contains { $0.kind == .heartbeatResponse })
    cluster.sync(follower)
    #expect(cluster.delivered.map(\.kind) == [.heartbeatResponse])
    cluster.with(follower) { core, now in core.step(heartbeat, now: now) }
    #expect(cluster.delivered.map(\.echo) == [7, 7], "at once, from now on")
  }

  @Test("what a candidate knows to be committed counts only where the logs match")
  func learnCommit() {
    for (committedIn, expected): (UInt64, UInt64) in [(1, 3), (2, 1)] {
      var core = RaftCore(
        id: replica(1), options: RaftOptions(), hardState: HardState(term: term(1), commit: index(1)),
        membership: Membership(voters: [1, 2].map(replica)), compacted: (index(1), term(1)),
        entries: [2, 3, 4].map { LogEntry(term: term(1), index: index($0), payload: []) }, applied: index(1), seed: 1,
        now: 0)
      let request = Message(
        kind: .preVote, from: replica(2), to: replica(1), term: term(3), index: index(9), logTerm: term(2),
        commit: index(3), hintTerm: term(committedIn))
      core.step(request, now: 2_000_000_000)
      #expect(core.commit == index(expected))
    }
  }

  @Test("election timeouts differ between replicas and lie between one and two minimum timeouts")
  func timeouts() {
    var seen: Set<UInt64> = []
    for seed: UInt64 in 1...40 {
      let core = RaftCore(
        id: replica(1), options: RaftOptions(), hardState: HardState(),
        membership: Membership(voters: [1, 2].map(replica)),
        compacted: (.zero, .zero), entries: [], applied: .zero, seed: seed, now: 7)
      seen.insert(core.electionDeadline)
      #expect((1_000_000_007..<2_000_000_007).contains(core.electionDeadline))
    }
    #expect(seen.count > 35)
  }
}
