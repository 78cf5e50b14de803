import Bytes
import Testing

@testable import Raft

@Suite("Membership")
struct MembershipTests {
  private func ids(_ numbers: [UInt32]) -> [ReplicaID] { numbers.map(replica) }

  private func change(_ cluster: TestCluster, _ node: TestNode, _ change: MembershipChange) throws {
    try cluster.with(node) { core, now in _ = try core.propose(membership: change, now: now) }
  }

  // MARK: As a pure function

  @Test("a simple change adds, promotes, demotes or removes one voter, and any learners")
  func simple() throws {
    let start = Membership(voters: ids([1, 2, 3]), learners: ids([4]))
    #expect(try start.applying(.simple([.addVoter(replica(4))])) == Membership(voters: ids([1, 2, 3, 4])))
    #expect(
      try start.applying(.simple([.addLearner(replica(3))])) == Membership(voters: ids([1, 2]), learners: ids([3, 4])))
    #expect(
      try start.applying(.simple([.remove(replica(4)), .addLearner(replica(5)), .remove(replica(1))]))
        == Membership(voters: ids([2, 3]), learners: ids([5])))
    #expect(try start.applying(.simple([.addVoter(replica(1)), .remove(replica(9))])) == start, "nothing to do")
  }

  @Test("a simple change of two voters, of the last voter, or while joint is refused")
  func refused() throws {
    let start = Membership(voters: ids([1, 2, 3]))
    let joint = try start.applying(.joint([.addVoter(replica(4))]))
    func refuses(_ membership: Membership, _ change: MembershipChange) {
      #expect(throws: RaftError.self, "\(change)") { try membership.applying(change) }
    }
    refuses(start, .simple([.addVoter(replica(4)), .addVoter(replica(5))]))
    refuses(start, .simple([.addVoter(replica(4)), .remove(replica(1))]))
    refuses(Membership(voters: ids([1])), .simple([.remove(replica(1))]))
    refuses(start, .joint([.remove(replica(1)), .remove(replica(2)), .remove(replica(3))]))
    refuses(start, .leaveJoint)
    refuses(joint, .simple([.addLearner(replica(9))]))
    refuses(joint, .joint([.addLearner(replica(9))]))
    refuses(Membership(), .joint([.addVoter(replica(1))]))
    refuses(start, .simple([.addVoter(.none)]))
  }

  @Test("a joint change keeps the old voters until it is left; a demoted one becomes a learner only then")
  func joint() throws {
    let start = Membership(voters: ids([1, 2, 3]), learners: ids([4]))
    let joint = try start.applying(
      .joint([.addVoter(replica(4)), .addLearner(replica(1)), .remove(replica(2)), .addLearner(replica(5))]))
    #expect(
      try joint
        == Membership(
          voters: ids([3, 4]), outgoing: ids([1, 2, 3]), learners: ids([5]), learnersNext: ids([1]), autoLeave: true))
    #expect(joint.members == ids([1, 2, 3, 4, 5]))
    #expect(joint.isVoter(replica(2)) && joint.isVoter(replica(4)) && !joint.isVoter(replica(5)))
    #expect(try joint.applying(.leaveJoint) == Membership(voters: ids([3, 4]), learners: ids([1, 5])))
  }

  @Test("changes and memberships survive encoding, and damaged ones are refused")
  func coding() throws {
    let changes: [MembershipChange] = [
      .simple([]), .simple([.addVoter(replica(1)), .addLearner(replica(2)), .remove(replica(3))]),
      .joint([.remove(replica(7))], autoLeave: false), .joint([.addVoter(replica(8))]), .leaveJoint,
    ]
    for change in changes {
      #expect(try MembershipChange(payload: change.payload) == change)
      for length in 0..<change.payload.count {
        #expect(throws: ByteError.self) { try MembershipChange(payload: Array(change.payload[..<length])) }
      }
      #expect(throws: ByteError.self) { try MembershipChange(payload: change.payload + [0]) }
    }
    #expect(throws: ByteError.self) { try MembershipChange(payload: [4, 0]) }
    #expect(throws: ByteError.self) { try MembershipChange(payload: [0, 1, 3, 0, 0, 0, 0, 0, 0, 0, 0]) }
    #expect(throws: ByteError.self, "leaveJoint has no steps") {
      try MembershipChange(payload: [3, 1, 0, 1, 0, 0, 0, 0, 0, 0, 0])
    }

    let header = SnapshotHeader(
      index: index(7), term: term(3),
      membership: try Membership(voters: ids([1, 2])).applying(.joint([.addLearner(replica(2))])))
    var writer = ByteWriter()
    header.encode(into: &writer)
    var reader = ByteReader(writer.bytes)
    #expect(try SnapshotHeader(from: &reader) == header)
    try reader.finish()
    for length in 0..<writer.bytes.count {
      var short = ByteReader(writer.bytes, range: 0..<length)
      #expect(throws: ByteError.self) { try SnapshotHeader(from: &short) }
    }
  }

  @Test("an encoded membership that no change could lead to is refused")
  func impossible() {
    func refuses(_ lists: [[UInt64]], _ flag: UInt8 = 0) {
      var writer = ByteWriter()
      for list in lists {
        writer.varint(UInt64(list.count))
        for id in list { writer.u64(id) }
      }
      writer.u8(flag)
      var reader = ByteReader(writer.bytes)
      #expect(throws: ByteError.self, "\(lists)") { try Membership(from: &reader) }
    }
    refuses([[2, 1], [], [], []])
    refuses([[1, 1], [], [], []])
    refuses([[0], [], [], []])
    refuses([[1], [], [1], []])
    refuses([[1], [2], [2], []])
    refuses([[1], [], [], [1]])
    refuses([[], [1], [], []])
    refuses([[1], [], [], []], 1)
    refuses([[1], [], [], []], 2)
    refuses([Array(1...65), [], [], []])
  }

  // MARK: In a group

  @Test("learner promotion: a new replica catches up from a snapshot as a learner, then votes")
  func promotion() throws {
    let cluster = TestCluster(voters: [1])
    let leader = cluster.node(1)
    for value: UInt8 in 0..<5 { try cluster.propose(leader, [value]) }
    cluster.addEmpty(2)
    try change(cluster, leader, .simple([.addLearner(replica(2))]))
    cluster.run(milliseconds: 300)
    let learner = cluster.node(2)
    #expect(learner.machine.index == leader.machine.index)
    #expect(learner.machine.digest == leader.machine.digest)
    #expect(learner.core?.membership.learners == [replica(2)])
    #expect(leader.core?.commit == leader.core?.lastIndex, "learners don't count")

    try change(cluster, leader, .simple([.addVoter(replica(2))]))
    cluster.run(milliseconds: 300)
    #expect(leader.core?.membership == Membership(voters: ids([1, 2])))
    learner.crash()
    try cluster.propose(leader, [9])
    cluster.settle()
    #expect(leader.core?.commit != leader.core?.lastIndex, "now it does")
  }

  @Test("a learner never campaigns, but votes when asked: it may be a voter and not know")
  func learnerVotes() {
    let cluster = TestCluster(voters: [1, 2], learners: [3])
    cluster.run(milliseconds: 2500)
    cluster.recordsMessages = true
    let learner = cluster.node(3)
    cluster.partition([learner.id])
    cluster.run(milliseconds: 10_000)
    #expect(learner.core?.status.role == .follower)
    let request = Message(
      kind: .vote, from: replica(9), to: learner.id, term: term(90), index: index(90), logTerm: term(90))
    cluster.with(learner) { core, now in core.step(request, now: now) }
    #expect(cluster.delivered.contains { $0.kind == .voteResponse && !$0.reject })
  }

  @Test("one membership change at a time, and not before those of earlier terms are applied")
  func onePending() throws {
    let cluster = TestCluster(voters: [1, 2, 3])
    let leader = cluster.elect(1)
    leader.appliesByItself = false
    try change(cluster, leader, .simple([.addLearner(replica(8))]))
    cluster.settle()
    #expect(throws: RaftError.changePending(index: index(3))) {
      try change(cluster, leader, .simple([.addLearner(replica(9))]))
    }
    cluster.apply(leader)
    try change(cluster, leader, .simple([.addLearner(replica(9))]))
    #expect(throws: RaftError.self, "not applicable") { try change(cluster, leader, .leaveJoint) }
  }

  @Test("replace-the-leader: both majorities decide, the joint state is left by itself, then the leader steps down")
  func replaceTheLeader() throws {
    let cluster = TestCluster(voters: [1, 2, 3])
    let leader = cluster.elect(1)
    cluster.addEmpty(4)
    cluster.addEmpty(5)
    // The new members are cut off: the old majority alone may enter the joint state, and not leave it.
    cluster.isCut = { [4, 5].map(replica).contains($0.to) }
    try change(
      cluster, leader,
      .joint([.remove(replica(1)), .remove(replica(2)), .addVoter(replica(4)), .addVoter(replica(5))]))
    cluster.run(milliseconds: 900)
    #expect(leader.core?.membership.outgoing == ids([1, 2, 3]))
    #expect(leader.core?.membership.voters == ids([3, 4, 5]))
    let entered = try #require(leader.core?.commit)
    #expect(leader.core?.lastIndex == entered.next, "leaving is proposed, and needs the new majority")
    #expect(!cluster.holdsLease(leader), "a lease needs both majorities as well")
    cluster.heal()
    #expect(cluster.run(within: 5000) { $0.leader?.core?.membership == Membership(voters: [3, 4, 5].map(replica)) })
    #expect(leader.core?.isLeader == false)
    #expect(cluster.run(within: 5000) { $0.leader.map { ids([3, 4, 5]).contains($0.id) } == true })
    let next = try #require(cluster.leader)
    try cluster.propose(next, [1])
    cluster.run(milliseconds: 500)
    #expect(Set([3, 4, 5].map { cluster.node($0).machine.index }).count == 1)
    #expect(cluster.history.faults == [])
  }

  @Test("a joint state without autoLeave stays until it is left by hand")
  func manualLeave() throws {
    let cluster = TestCluster(voters: [1, 2, 3])
    let leader = cluster.elect(1)
    try change(cluster, leader, .joint([.remove(replica(3))], autoLeave: false))
    cluster.run(milliseconds: 500)
    #expect(leader.core?.membership.isJoint == true)
    try change(cluster, leader, .leaveJoint)
    cluster.run(milliseconds: 500)
    #expect(leader.core?.membership == Membership(voters: ids([1, 2])))
  }

  @Test("the leader of a later term leaves a joint state that it inherited")
  func inheritedJoint() throws {
    let cluster = TestCluster(voters: [1, 2, 3, 4, 5])
    let old = cluster.elect(1)
    // The others are joint, and the old leader goes before it is, and could leave.
    old.appliesByItself = false
    try change(cluster, old, .joint([.addLearner(replica(3))], autoLeave: true))
    cluster.settle()
    #expect(cluster.node(2).core?.membership.isJoint == true)
    old.crash()
    let left = Membership(voters: ids([1, 2, 4, 5]), learners: ids([3]))
    #expect(cluster.run(within: 8000) { $0.leader?.core?.membership == left })
  }

  @Test("a removed replica that goes on campaigning disturbs nobody")
  func removedReplica() throws {
    let cluster = TestCluster(voters: [1, 2, 3])
    let leader = cluster.elect(1)
    cluster.partition([replica(3)])
    try change(cluster, leader, .simple([.remove(replica(3))]))
    cluster.run(milliseconds: 300)
    let before = leader.core?.term
    cluster.heal()
    cluster.run(milliseconds: 20_000)
    #expect(cluster.node(3).core?.membership.contains(replica(3)) == true, "it never learned")
    #expect(leader.core?.isLeader == true)
    #expect(leader.core?.term == before)
  }

  @Test("a voter with a committed and unapplied change does not campaign")
  func unappliedChange() throws {
    let cluster = TestCluster(voters: [1, 2, 3])
    let leader = cluster.elect(1)
    let slow = cluster.node(2)
    slow.appliesByItself = false
    try change(cluster, leader, .simple([.addLearner(replica(9))]))
    cluster.run(milliseconds: 200)
    leader.crash()
    cluster.node(3).crash()
    cluster.run(milliseconds: 5000)
    #expect(slow.core?.status.role == .follower)
    cluster.apply(slow)
    cluster.run(milliseconds: 200)
    #expect(slow.core?.status.role == .preCandidate)
  }

  @Test("the only voter left learns from the removed ones' refusals that it is, and leads")
  func lockedOut() throws {
    let cluster = TestCluster(voters: [1, 2, 3])
    let leader = cluster.elect(1)
    // Replica 2 gets every entry, but never learns that the last change is committed.
    cluster.isCut = { $0.to == replica(2) && $0.kind == .heartbeat }
    try change(cluster, leader, .joint([.remove(replica(1)), .remove(replica(3))], autoLeave: false))
    cluster.settle()
    cluster.isCut = { $0.to == replica(2) && ($0.kind == .heartbeat || $0.commit > index(3)) }
    try change(cluster, leader, .leaveJoint)
    cluster.settle()
    #expect(leader.core?.membership == Membership(voters: [replica(2)]))
    #expect(leader.core?.isLeader == false)
    #expect(cluster.node(2).core?.membership.isJoint == true)
    // Its log is shorter than that of one old voter, the other is gone: without the hint nobody could ever lead.
    cluster.node(1).crash()
    let extra = LogEntry(term: term(2), index: index(5), payload: [])
    cluster.with(cluster.node(3)) { core, now in
      core.step(
        Message(
          kind: .append, from: replica(1), to: replica(3), term: term(2), index: index(4), logTerm: term(2),
          entries: [extra], commit: index(4)), now: now)
    }
    cluster.heal()
    #expect(cluster.run(within: 8000) { $0.leader?.id == replica(2) })
    #expect(cluster.node(2).core?.membership == Membership(voters: [replica(2)]))
  }

  @Test("a leader whose removal leaves one voter holds no lease from the moment that the change is in its log")
  func unseated() throws {
    let cluster = TestCluster(voters: [1, 2])
    let leader = cluster.elect(1)
    cluster.run(milliseconds: 200)
    leader.appliesByItself = false
    #expect(cluster.holdsLease(leader))
    try change(cluster, leader, .simple([.remove(replica(1))]))
    #expect(!cluster.holdsLease(leader))
    cluster.settle()
    cluster.restart(cluster.node(2))
    #expect(!cluster.holdsLease(leader))
    cluster.apply(leader)
    #expect(leader.core?.isLeader == false)
  }
}
