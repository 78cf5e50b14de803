import Bytes
import Testing

@testable import Raft

@Suite("Snapshots and compaction")
struct SnapshotTests {
  private func lagging(entries: Int = 10) throws -> (TestCluster, TestNode) {
    let cluster = TestCluster(voters: [1, 2, 3])
    let leader = cluster.elect(1)
    cluster.partition([replica(3)])
    for value in 0..<entries { try cluster.propose(leader, [UInt8(value)]) }
    cluster.settle()
    leader.compact(through: leader.machine.index)
    return (cluster, leader)
  }

  private func flow(_ leader: TestNode) -> RaftStatus.Flow? {
    leader.core?.status.peers.first { $0.id == replica(3) }?.flow
  }

  @Test("a follower that needs compacted entries gets a snapshot, then the log from there on")
  func catchUp() throws {
    let (cluster, leader) = try lagging()
    #expect(leader.core?.status.votersWithoutState == [replica(3)])
    cluster.heal()
    cluster.run(milliseconds: 500)
    #expect(cluster.history.installs == 1)
    #expect(leader.core?.status.votersWithoutState == [])
    #expect(cluster.node(3).machine == leader.machine)
    #expect(flow(leader) == .replicate)
    try cluster.propose(leader, [99])
    cluster.settle()
    #expect(cluster.node(3).machine.index == leader.machine.index)
    #expect(cluster.node(3).core?.status.firstIndex == index(13))
  }

  @Test("while a snapshot is on its way nothing else is sent; a failure leads to another after a heartbeat")
  func failure() throws {
    let (cluster, leader) = try lagging()
    cluster.recordsMessages = true
    cluster.isCut = { $0.kind == .snapshot }
    cluster.run(milliseconds: 1000)
    #expect(leader.core?.status.votersWithoutState == [replica(3)])
    let snapshots = cluster.delivered.count { $0.kind == .snapshot }
    #expect((2...11).contains(snapshots), "\(snapshots), one per heartbeat at most")
    cluster.heal()
    cluster.run(milliseconds: 300)
    #expect(cluster.node(3).machine == leader.machine)
  }

  @Test("a peer that is not there gets no snapshot until it is heard from")
  func absent() throws {
    let (cluster, leader) = try lagging()
    cluster.run(milliseconds: 1200)
    cluster.recordsMessages = true
    try cluster.propose(leader, [1])
    cluster.run(milliseconds: 500)
    #expect(!cluster.delivered.contains { $0.kind == .snapshot })
    #expect(flow(leader) != .snapshot(leader.machine.index))
  }

  @Test("a snapshot that arrives is handed out once, not during applying, and acknowledged when installed")
  func installing() throws {
    let membership = Membership(voters: [1, 2, 3].map(replica))
    var core = RaftCore(
      id: replica(3), options: RaftOptions(), hardState: HardState(term: term(1), commit: index(2)),
      membership: membership, compacted: (index(1), term(1)),
      entries: [LogEntry(term: term(1), index: index(2), payload: [])], applied: index(1), seed: 1, now: 0)
    #expect(core.ready().committed.count == 1)
    let header = SnapshotHeader(index: index(9), term: term(4), membership: membership)
    let message = Message(kind: .snapshot, from: replica(1), to: replica(3), term: term(5), snapshot: header)
    core.step(message, now: 1)
    let waiting = core.ready()
    #expect(waiting.snapshot == nil, "entry 2 is being applied")
    core.persisted(ticket: waiting.ticket, now: 1)
    core.applied(to: index(2))
    #expect(core.ready().snapshot == header)
    core.step(message, now: 2)
    #expect(core.ready().snapshot == nil)
    let append = Message(
      kind: .append, from: replica(1), to: replica(3), term: term(5), index: index(2), logTerm: term(1),
      entries: [LogEntry(term: term(1), index: index(3), payload: [])])
    core.step(append, now: 2)
    #expect(core.lastIndex == index(2), "nothing is appended meanwhile")
    core.campaign(now: 20_000_000_000)
    #expect(core.status.role == .follower, "nor is there a campaign")

    core.installed(snapshot: header, now: 3)
    #expect(core.lastIndex == index(9) && core.commit == index(9) && core.applied == index(9))
    let ready = core.ready()
    let answers = (ready.immediate + ready.afterPersist).filter { $0.kind == .appendResponse }
    #expect(answers.map(\.index) == [index(9)])
  }

  @Test("a snapshot that can't be installed leaves the replica as it was")
  func installFails() {
    let membership = Membership(voters: [1, 2, 3].map(replica))
    var core = RaftCore(
      id: replica(3), options: RaftOptions(), hardState: HardState(), membership: Membership(),
      compacted: (.zero, .zero),
      entries: [], applied: .zero, seed: 1, now: 0)
    let header = SnapshotHeader(index: index(9), term: term(4), membership: membership)
    let message = Message(kind: .snapshot, from: replica(1), to: replica(3), term: term(5), snapshot: header)
    core.step(message, now: 1)
    #expect(core.ready().snapshot == header)
    core.installFailed(snapshot: header, now: 2)
    #expect(core.lastIndex == .zero && core.membership == Membership())
    core.step(message, now: 3)
    #expect(core.ready().snapshot == header, "it may try again")
  }

  @Test("a snapshot of what the log has, or of what is committed, only moves the commit index")
  func nothingNew() {
    var core = RaftCore(
      id: replica(3), options: RaftOptions(), hardState: HardState(term: term(1), commit: index(1)),
      membership: Membership(voters: [1, 2, 3].map(replica)), compacted: (index(1), term(1)),
      entries: (2...5).map { LogEntry(term: term(1), index: index($0), payload: []) }, applied: index(1), seed: 1,
      now: 0)
    for target: UInt64 in [4, 2] {
      let header = SnapshotHeader(index: index(target), term: term(1), membership: core.membership)
      core.step(Message(kind: .snapshot, from: replica(1), to: replica(3), term: term(5), snapshot: header), now: 1)
      let ready = core.ready()
      #expect(ready.snapshot == nil)
      #expect((ready.immediate + ready.afterPersist).map(\.index) == [index(4)])
      core.persisted(ticket: ready.ticket, now: 1)
    }
    #expect(core.commit == index(4) && core.lastIndex == index(5))
  }

  @Test("a snapshot of a group that the replica is no member of is refused")
  func foreign() {
    var core = RaftCore(
      id: replica(3), options: RaftOptions(), hardState: HardState(), membership: Membership(),
      compacted: (.zero, .zero),
      entries: [], applied: .zero, seed: 1, now: 0)
    let header = SnapshotHeader(index: index(9), term: term(4), membership: Membership(voters: [1, 2].map(replica)))
    core.step(Message(kind: .snapshot, from: replica(1), to: replica(3), term: term(5), snapshot: header), now: 1)
    #expect(core.ready().snapshot == nil)
    #expect(core.status.violations == 1)
  }

  @Test("a crash at any moment of an installation leaves the old state or the new one")
  func crashes() throws {
    for surviving in 0...3 {
      let (cluster, leader) = try lagging()
      let node = cluster.node(3)
      node.syncsByItself = false
      cluster.heal()
      cluster.run(milliseconds: 300)
      #expect(node.writes.contains { $0.install != nil })
      let before = node.disk.machine
      cluster.restart(node, surviving: surviving)
      #expect(node.machine == before || node.machine.index > before.index)
      node.syncsByItself = true
      cluster.sync(node)
      cluster.run(milliseconds: 500)
      #expect(node.machine == leader.machine)
      #expect(cluster.history.faults == [])
    }
  }

  @Test("the advised compaction keeps what a peer lacks, but no more bytes than allowed")
  func advice() throws {
    let cluster = TestCluster(voters: [1, 2, 3])
    let leader = cluster.elect(1)
    cluster.partition([replica(3)])
    try cluster.with(leader) { core, now in
      _ = try core.propose((0..<10).map { _ in Array(repeating: 1, count: 79) }, now: now)
    }
    cluster.settle()
    var core = try #require(leader.core)
    #expect(core.compactionIndex(flushed: core.commit) == index(2), "replica 3 has no more")
    #expect(core.compactionIndex(flushed: .zero) == index(1))
    cluster.heal()
    cluster.run(milliseconds: 300)
    core = try #require(leader.core)
    #expect(core.compactionIndex(flushed: core.commit) == index(12), "all have all")
    #expect(core.compactionIndex(flushed: index(5)) == index(5))

    var small = RaftOptions()
    small.maxLogBytes = 250
    let entries = (2...9).map { LogEntry(term: term(1), index: index($0), payload: Array(repeating: 0, count: 79)) }
    let follower = RaftCore(
      id: replica(3), options: small, hardState: HardState(term: term(1), commit: index(9)),
      membership: Membership(voters: [1, 2, 3].map(replica)), compacted: (index(1), term(1)), entries: entries,
      applied: index(9), seed: 1, now: 0)
    #expect(follower.compactionIndex(flushed: index(9)) == index(7), "two entries of 100 bytes stay")
  }
}
