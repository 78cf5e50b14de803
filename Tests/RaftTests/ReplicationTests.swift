import Bytes
import Testing

@testable import Raft

@Suite("Replication")
struct ReplicationTests {
  @Test("a proposal is committed, applied everywhere, and told to those who lag in the commit index")
  func propose() throws {
    let cluster = TestCluster(voters: [1, 2, 3])
    let leader = cluster.elect(1)
    #expect(try cluster.propose(leader, [1, 2]) == index(3))
    cluster.settle()
    #expect(cluster.nodes.allSatisfy { $0.machine.index == index(3) })
    #expect(Set(cluster.nodes.map(\.machine.digest)).count == 1)
  }

  /// A group whose commits wait for the next append or tick.
  private func patientGroup() -> (TestCluster, TestNode) {
    var options = RaftOptions()
    options.tellsCommitAtOnce = false
    let cluster = TestCluster(voters: [1, 2, 3], options: options)
    let leader = cluster.elect(1)
    cluster.run(milliseconds: 300)
    return (cluster, leader)
  }

  @Test("where commits may wait, a write costs each follower one append, which tells of the commits before it")
  func commitsRideOnAppends() throws {
    let (cluster, leader) = patientGroup()
    cluster.recordsMessages = true
    let first = try #require(try cluster.propose(leader, [1]))
    cluster.settle()
    #expect(cluster.delivered.count { $0.kind == .append } == 2)
    #expect(leader.machine.index == first)
    #expect(cluster.node(2).core?.commit == first.previous)
    try cluster.propose(leader, [2])
    cluster.settle()
    #expect(cluster.delivered.count { $0.kind == .append } == 4)
    #expect(cluster.node(2).core?.commit == first)
  }

  @Test("where commits may wait, they wait for a tick at most")
  func commitsAreToldByTheTick() throws {
    let (cluster, leader) = patientGroup()
    let entry = try #require(try cluster.propose(leader, [1]))
    cluster.settle()
    cluster.run(milliseconds: 110)
    #expect([2, 3].allSatisfy { cluster.node($0).machine.index == entry })
  }

  @Test("a committed change of the membership is told at once: nobody waits for it")
  func changesAreToldAtOnce() throws {
    let (cluster, leader) = patientGroup()
    try cluster.with(leader) { core, now in
      _ = try core.propose(membership: .simple([.addLearner(replica(4))]), now: now)
    }
    cluster.settle()
    #expect(cluster.node(2).core?.membership.learners == [replica(4)])
  }

  @Test("only a leader takes proposals; others say who leads")
  func notLeader() throws {
    let cluster = TestCluster(voters: [1, 2, 3])
    #expect(throws: RaftError.notLeader(hint: .none)) { try cluster.propose(cluster.node(2), [1]) }
    _ = cluster.elect(1)
    #expect(throws: RaftError.notLeader(hint: replica(1))) { try cluster.propose(cluster.node(2), [1]) }
  }

  @Test("proposals between two Readys share one append to each peer")
  func coalescing() throws {
    let cluster = TestCluster(voters: [1, 2, 3])
    let leader = cluster.elect(1)
    cluster.recordsMessages = true
    try cluster.with(leader) { core, now in
      for value: UInt8 in 1...50 { _ = try core.propose([[value]], now: now) }
    }
    let appends = cluster.delivered.filter { $0.kind == .append && !$0.entries.isEmpty }
    #expect(appends.map(\.entries.count) == [50, 50])
  }

  @Test("the leader replicates before its own write is durable, and counts itself only afterwards")
  func parallelWrite() throws {
    let cluster = TestCluster(voters: [1, 2, 3])
    let leader = cluster.elect(1)
    leader.syncsByItself = false
    cluster.isCut = { $0.to == replica(3) }
    try cluster.propose(leader, [1])
    cluster.settle()
    #expect(cluster.node(2).core?.lastIndex == index(3), "sent at once")
    #expect(leader.core?.commit == index(2), "one durable copy of three is no majority")
    cluster.sync(leader)
    #expect(leader.core?.commit == index(3))
  }

  @Test("two followers commit an entry that the leader has not written yet; the leader applies it when it has")
  func commitBeforeOwnWrite() throws {
    let cluster = TestCluster(voters: [1, 2, 3])
    let leader = cluster.elect(1)
    leader.syncsByItself = false
    try cluster.propose(leader, [1])
    cluster.settle()
    #expect(leader.core?.commit == index(3))
    #expect(leader.machine.index == index(2))
    cluster.sync(leader)
    #expect(leader.machine.index == index(3))
  }

  @Test("a follower acknowledges entries only when they are durable")
  func followerDurability() throws {
    let cluster = TestCluster(voters: [1, 2, 3])
    let leader = cluster.elect(1)
    cluster.isCut = { $0.to == replica(3) }
    cluster.node(2).syncsByItself = false
    try cluster.propose(leader, [1])
    cluster.settle()
    #expect(leader.core?.commit == index(2))
    cluster.restart(cluster.node(2))
    #expect(cluster.node(2).core?.lastIndex == index(2), "the crash lost it, and nobody counted on it")
    cluster.node(2).syncsByItself = true
    cluster.run(milliseconds: 500)
    #expect(leader.core?.commit == index(3))
  }

  @Test("late-durable-ack: a write that ends after its entries were replaced, and came back, vouches for nothing")
  func lateDurableAck() {
    var core = follower(entries: [])
    func append(_ entryTerm: UInt64, from: UInt32, term messageTerm: UInt64) -> Ready {
      let entry = LogEntry(term: term(entryTerm), index: index(2), payload: [UInt8(entryTerm)])
      core.step(
        Message(
          kind: .append, from: replica(from), to: replica(1), term: term(messageTerm), index: index(1),
          logTerm: term(1),
          entries: [entry], commit: index(messageTerm == 9 ? 2 : 1)), now: 0)
      return core.ready()
    }
    let first = append(2, from: 2, term: 2)
    let second = append(3, from: 3, term: 3)
    let third = append(2, from: 2, term: 9)
    #expect([first, second, third].allSatisfy { $0.entries.count == 1 && $0.afterPersist.count == 1 })
    core.persisted(ticket: first.ticket, now: 0)
    #expect(core.status.durable == index(1), "the disk will hold the second entry before the third")
    #expect(core.ready().committed.isEmpty)
    core.persisted(ticket: second.ticket, now: 0)
    #expect(core.status.durable == index(1))
    core.persisted(ticket: third.ticket, now: 0)
    #expect(core.status.durable == index(2))
    #expect(core.ready().committed.map(\.term) == [term(2)])
    // The acknowledgements carry the terms in which the entries were taken.
    #expect([first, second, third].map { $0.afterPersist[0].term } == [term(2), term(3), term(9)])
  }

  @Test("a leader of a new term does not count writes of its own that were replaced meanwhile")
  func lateDurableLeader() throws {
    var core = core(1, terms: [1], term: 1)
    win(&core, term: 2, now: 3_000_000_000)
    _ = try core.propose([[1]], now: 3_000_000_000)
    let lost = core.ready()
    #expect(lost.entries.map(\.index) == [index(3)])
    let other = LogEntry(term: term(3), index: index(3), payload: [])
    core.step(
      Message(
        kind: .append, from: replica(2), to: core.id, term: term(3), index: index(2), logTerm: term(2), entries: [other]
      ),
      now: 3_000_000_000)
    let replaced = core.ready()
    core.persisted(ticket: lost.ticket, now: 3_000_000_000)
    #expect(core.status.durable == index(2), "what that write held at 3 is gone")
    core.persisted(ticket: replaced.ticket, now: 3_000_000_000)
    #expect(core.status.durable == index(3))
  }

  @Test("a follower commits no further than what an append shows to match, though its log is longer (figure 2)")
  func commitWithinTheAppend() {
    // Entries 3 and 4 of term 1 are none of the leader's, which has others there, and committed.
    var core = follower(entries: (2...4).map { LogEntry(term: term(1), index: index($0), payload: []) })
    core.step(
      Message(
        kind: .append, from: replica(2), to: replica(1), term: term(2), index: index(1), logTerm: term(1),
        entries: [LogEntry(term: term(1), index: index(2), payload: [])], commit: index(4)), now: 0)
    #expect(core.commit == index(2))
    #expect(core.lastIndex == index(4))
  }

  @Test("commit-own-term: an entry of an earlier term is not committed by counting (figure 8)")
  func figureEight() throws {
    var options = RaftOptions()
    options.maxMessageBytes = 1
    let cluster = TestCluster(voters: [1, 2, 3, 4, 5], options: options)
    let first = cluster.elect(1)
    // (a) S1 leads term 2 and replicates entry 3 only to S2.
    cluster.partition([replica(1), replica(2)])
    try cluster.propose(first, [1])
    cluster.settle()
    // (b) S1 crashes; S5 leads term 3 with the votes of S3 and S4, and writes another entry 3 only to itself.
    first.crash()
    cluster.isCut = { [1, 2].map(replica).contains($0.from) || [1, 2].map(replica).contains($0.to) }
    cluster.run(milliseconds: 1000)
    let fifth = cluster.node(5)
    cluster.isCut = { $0.kind == .append || $0.from == replica(2) || $0.to == replica(2) }
    #expect(campaignUntilLeader(cluster, fifth))
    // (c) S5 crashes; S1 restarts, leads again, and brings its entry 3 of term 2 to S3 and S4, but none of its new
    // term: the first appends were lost, and are refused here by hand.
    fifth.crash()
    cluster.restart(first)
    cluster.isCut = { $0.kind == .append && $0.entries.contains { $0.term > term(3) } }
    #expect(campaignUntilLeader(cluster, first))
    let now = first.core?.term ?? .zero
    let last = index(3)
    for number: UInt32 in [3, 4] {
      #expect(cluster.node(number).core?.lastIndex == index(2))
      let refusal = Message(
        kind: .appendResponse, from: replica(number), to: first.id, term: now, index: last, reject: true,
        rejectHint: index(2), hintTerm: term(2))
      cluster.with(first) { core, clock in core.step(refusal, now: clock) }
      cluster.settle()
      #expect(cluster.node(number).core?.log.matches(last, term(2)) == true)
    }
    #expect(first.core?.commit == index(2), "three of five have entry 3, and it may still be overwritten")
    // (e) Once an entry of its own term is on a majority, both are committed.
    cluster.heal()
    cluster.run(milliseconds: 500)
    #expect((first.core?.commit ?? .zero) > last)
    #expect(cluster.history.faults == [])
  }

  private func campaignUntilLeader(_ cluster: TestCluster, _ node: TestNode) -> Bool {
    cluster.run(within: 10_000) { cluster in
      cluster.with(node) { core, now in core.campaign(now: now) }
      cluster.settle()
      for other in cluster.leaders where other.id != node.id {
        other.crash()
        cluster.restart(other)
      }
      return node.core?.isLeader == true
    }
  }

  /// The followers of the paper's figure 7, as the terms of their entries from index 1.
  static let figureSeven: [(name: String, terms: [UInt64])] = [
    ("a", [1, 1, 1, 4, 4, 5, 5, 6, 6]),
    ("b", [1, 1, 1, 4]),
    ("c", [1, 1, 1, 4, 4, 5, 5, 6, 6, 6, 6]),
    ("d", [1, 1, 1, 4, 4, 5, 5, 6, 6, 6, 7, 7]),
    ("e", [1, 1, 1, 4, 4, 4, 4]),
    ("f", [1, 1, 1, 2, 2, 2, 3, 3, 3, 3, 3]),
  ]

  @Test("logs that diverged as in the paper's figure 7 are made the leader's, with few probes", arguments: 0..<6)
  func figureSevenLogs(which: Int) {
    let (name, terms) = ReplicationTests.figureSeven[which]
    var leader = core(1, terms: [1, 1, 1, 4, 4, 5, 5, 6, 6, 6], term: 7)
    var follower = core(2, terms: terms, term: 7)
    win(&leader, term: 8, now: 3_000_000_000)
    leader.step(
      Message(kind: .heartbeatResponse, from: follower.id, to: leader.id, term: term(8)), now: 3_000_000_000)
    var probes = 0
    for round in 0..<20 {
      let ready = leader.ready()
      leader.persisted(ticket: ready.ticket, now: 3_000_000_000)
      for message in ready.immediate where message.to == follower.id && message.kind == .append {
        probes += 1
        follower.step(message, now: 3_000_000_000)
      }
      let answer = follower.ready()
      follower.persisted(ticket: answer.ticket, now: 3_000_000_000)
      for message in answer.immediate + answer.afterPersist { leader.step(message, now: 3_000_000_000) }
      if !leader.hasReady, !follower.hasReady { break }
      #expect(round < 19, "no end")
    }
    let whole = leader.log.slice(from: index(1), through: leader.lastIndex)
    #expect(follower.log.slice(from: index(1), through: follower.lastIndex) == whole, "follower \(name)")
    #expect(leader.commit == leader.lastIndex)
    #expect(probes <= 6, "follower \(name) took \(probes) appends")
  }

  /// Makes it the leader of a term, with all it asked to write until then durable.
  private func win(_ core: inout RaftCore, term next: UInt64, now: UInt64) {
    core.tick(now: now)
    for kind: Message.Kind in [.preVoteResponse, .voteResponse, .appendResponse] {
      core.persisted(ticket: core.ready().ticket, now: now)
      for voter: UInt32 in [2, 3] {
        core.step(Message(kind: kind, from: replica(voter), to: core.id, term: term(next)), now: now)
      }
    }
    #expect(core.isLeader && core.term == term(next))
  }

  private func core(_ number: UInt32, terms: [UInt64], term current: UInt64) -> RaftCore {
    RaftCore(
      id: replica(number), options: RaftOptions(), hardState: HardState(term: term(current)),
      membership: Membership(voters: [1, 2, 3].map(replica)), compacted: (.zero, .zero),
      entries: terms.enumerated().map { LogEntry(term: term($1), index: index(UInt64($0 + 1)), payload: [UInt8($1)]) },
      applied: .zero, seed: 1, now: 0)
  }

  private func follower(entries: [LogEntry]) -> RaftCore {
    RaftCore(
      id: replica(1), options: RaftOptions(), hardState: HardState(term: term(1), commit: index(1)),
      membership: Membership(voters: [1, 2, 3].map(replica)), compacted: (index(1), term(1)), entries: entries,
      applied: index(1), seed: 1, now: 0)
  }
}
