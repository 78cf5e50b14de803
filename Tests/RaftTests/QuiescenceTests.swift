import Bytes
import Testing

@testable import Raft

@Suite("Quiescence: pulses in place of heartbeats")
struct QuiescenceTests {
  private func cluster(voters: [UInt32] = [1, 2, 3], learners: [UInt32] = []) -> TestCluster {
    var options = RaftOptions()
    options.quiescenceTicks = 5
    return TestCluster(voters: voters, learners: learners, options: options)
  }

  /// A cluster whose group has gone quiescent under its first node.
  private func quiescent(voters: [UInt32] = [1, 2, 3], learners: [UInt32] = []) throws -> (TestCluster, TestNode) {
    let cluster = cluster(voters: voters, learners: learners)
    let leader = cluster.elect(1)
    try cluster.propose(leader, [1])
    cluster.run(milliseconds: 1500)
    try #require(quiescentPeers(of: leader).count == voters.count + learners.count - 1)
    return (cluster, leader)
  }

  private func quiescentPeers(of node: TestNode) -> [ReplicaID] {
    var peers: [ReplicaID] = []
    node.core?.forEachQuiescentPeer { peers.append($0) }
    return peers
  }

  @Test("an idle group sends nothing, keeps its leader and its lease, and its followers keep their promise")
  func silence() throws {
    let (cluster, leader) = try quiescent(learners: [4])
    let term = leader.core?.term
    cluster.recordsMessages = true
    for _ in 0..<600 {
      cluster.run(milliseconds: 100)
      #expect(cluster.holdsLease(leader))
    }
    #expect(cluster.delivered.isEmpty)
    #expect(leader.core?.term == term && cluster.leader === leader)
    #expect(cluster.nodes.allSatisfy { $0 === leader || $0.core?.quiescentLeader == leader.id })
    cluster.with(cluster.node(2)) { core, now in core.campaign(now: now) }
    #expect(cluster.delivered.isEmpty, "a promised follower does not even ask")
  }

  @Test("not before the group has been idle for a while, nor where the owner sends no pulses")
  func notYet() throws {
    let busy = cluster()
    let leader = busy.elect(1)
    for _ in 0..<20 {
      try busy.propose(leader, [1])
      busy.run(milliseconds: 400)
      #expect(quiescentPeers(of: leader).isEmpty)
    }
    let never = TestCluster(voters: [1, 2, 3])
    _ = never.elect(1)
    never.run(milliseconds: 5000)
    #expect(quiescentPeers(of: never.node(1)).isEmpty && never.node(2).core?.quiescentLeader == nil)
  }

  @Test("a follower that lags, or applies late, gets heartbeats; the others need none")
  func lagging() throws {
    let cluster = cluster()
    let leader = cluster.elect(1)
    cluster.node(3).appliesByItself = false
    try cluster.propose(leader, [1])
    cluster.run(milliseconds: 2000)
    #expect(quiescentPeers(of: leader) == [replica(2)])
    cluster.node(3).appliesByItself = true
    cluster.apply(cluster.node(3))
    cluster.run(milliseconds: 300)
    #expect(quiescentPeers(of: leader) == [replica(2), replica(3)])
  }

  @Test("a write wakes the group at once, and is committed as ever")
  func write() throws {
    let (cluster, leader) = try quiescent()
    let index = try cluster.propose(leader, [2])
    cluster.settle()
    #expect(leader.core?.commit == index)
    #expect(quiescentPeers(of: leader).isEmpty && cluster.node(2).core?.quiescentLeader == nil)
    cluster.run(milliseconds: 1000)
    #expect(quiescentPeers(of: leader).count == 2)
    #expect(cluster.nodes.allSatisfy { $0.core?.applied == index }, "nobody sleeps over a commit")
  }

  @Test("a round of reads wakes the group: its heartbeats confirm the leader")
  func read() throws {
    let (cluster, leader) = try quiescent()
    cluster.read(leader)
    cluster.settle()
    #expect(leader.reads.count == 1)
    #expect(quiescentPeers(of: leader).isEmpty && cluster.node(2).core?.quiescentLeader == nil)
  }

  @Test("leadership is handed over out of a long sleep at once")
  func transfer() throws {
    let (cluster, leader) = try quiescent()
    cluster.run(milliseconds: 60_000)
    cluster.with(leader) { core, now in try? core.transferLeadership(to: replica(2), now: now) }
    cluster.settle()
    #expect(cluster.node(2).core?.isLeader == true)
  }

  @Test("a leader that dies is replaced as soon as one of a busy group: within two election timeouts and a vote")
  func failover() throws {
    let (cluster, leader) = try quiescent()
    leader.crash()
    #expect(cluster.run(within: 2500) { $0.leader != nil })
  }

  @Test("a leader that hears no answers to pulses sends heartbeats, then steps down as ever")
  func cutOff() throws {
    let (cluster, leader) = try quiescent()
    cluster.partition([leader.id])
    cluster.recordsMessages = true
    cluster.run(milliseconds: 500)
    #expect(cluster.delivered.contains { $0.kind == .heartbeat })
    cluster.run(milliseconds: 1000)
    #expect(leader.core?.isLeader == false)
    #expect(cluster.run(within: 2500) { $0.leader != nil })
    cluster.heal()
    cluster.run(milliseconds: 3000)
    #expect(cluster.leaders.count == 1 && cluster.history.faults == [])
  }

  @Test("a follower that starts anew is quiescent to nobody: heartbeats come again, and no other leader")
  func restart() throws {
    let (cluster, leader) = try quiescent()
    let term = leader.core?.term
    cluster.restart(cluster.node(2))
    cluster.recordsMessages = true
    cluster.run(milliseconds: 500)
    #expect(cluster.delivered.contains { $0.kind == .heartbeat && $0.to == replica(2) })
    #expect(quiescentPeers(of: leader) == [replica(2), replica(3)], "and by now it sleeps again")
    cluster.run(milliseconds: 5000)
    #expect(leader.core?.term == term && leader.core?.isLeader == true)
  }

  @Test("pulses that stop, or mean other groups, count for nothing: heartbeats come before the lease is over")
  func unequal() throws {
    let (cluster, leader) = try quiescent()
    let term = leader.core?.term
    for _ in 0..<50 {
      cluster.pulses.underWay = []
      cluster.run(milliseconds: 50)
      #expect(cluster.holdsLease(leader))
    }
    #expect(leader.core?.term == term)
  }

  @Test("an answer to a pulse that was sent before the peer was quiescent proves nothing of it")
  func lateAnswer() throws {
    let cluster = cluster()
    let leader = cluster.elect(1)
    try cluster.propose(leader, [1])
    cluster.faults.delay = 40...40
    try #require(cluster.run(within: 3000) { _ in quiescentPeers(of: leader).count == 2 })
    cluster.isCut = { _ in true }
    cluster.pulses.underWay = []
    let peers = try #require(leader.core).peers.filter { $0.id != leader.id }
    let start = try #require(peers.map(\.ackedSentAt).max())
    let since = try #require(peers.compactMap(\.quiescentSince).min())
    #expect(since >= start + 80 * millisecond)
    for peer in peers {
      cluster.with(leader) { core, now in
        core.pulseAnswered(by: peer.id.node, sentAt: since, peerClock: 1, now: now)
      }
    }
    #expect(cluster.holdsLease(leader))
    let end = start + (try #require(leader.core)).options.leaseDuration
    cluster.run(milliseconds: (end - leader.clock(cluster.now)) / millisecond + 10)
    #expect(!cluster.holdsLease(leader))
  }

  @Test("a late or doubled invitation to sleep does no harm")
  func lateInvitation() throws {
    let (cluster, leader) = try quiescent()
    cluster.recordsMessages = true
    cluster.read(leader)
    cluster.run(milliseconds: 1000)
    let invitation = try #require(cluster.delivered.last { $0.quiescent && $0.to == replica(2) })
    try cluster.propose(leader, [4])
    cluster.settle()
    cluster.with(cluster.node(2)) { core, now in core.step(invitation, now: now) }
    #expect(cluster.node(2).core?.quiescentLeader == nil, "its log is longer by now")
    cluster.run(milliseconds: 5000)
    #expect(cluster.leader === leader && cluster.history.faults == [])
  }
}
