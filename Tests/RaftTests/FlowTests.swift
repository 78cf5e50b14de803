import Bytes
import Testing

@testable import Raft

@Suite("Limits of what is on its way")
struct FlowTests {
  private func group(_ change: (inout RaftOptions) -> Void) -> (TestCluster, TestNode) {
    var options = RaftOptions()
    change(&options)
    let cluster = TestCluster(voters: [1, 2, 3], options: options)
    return (cluster, cluster.elect(1))
  }

  private func peer(_ leader: TestNode, _ number: UInt32) -> RaftStatus.Peer? {
    leader.core?.status.peers.first { $0.id == replica(number) }
  }

  @Test("no more appends than allowed are on their way to a peer, and losing all of them does not stall it")
  func inflightMessages() throws {
    let (cluster, leader) = group { $0.maxInflightMessages = 3 }
    cluster.isCut = { $0.to == replica(3) && $0.kind == .append }
    for value: UInt8 in 0..<20 {
      try cluster.propose(leader, [value])
      cluster.settle()
    }
    #expect(peer(leader, 3)?.inflight == 3)
    #expect(peer(leader, 3)?.paused == true)
    #expect(peer(leader, 2)?.match == leader.core?.lastIndex)
    cluster.heal()
    cluster.run(milliseconds: 500)
    #expect(peer(leader, 3)?.match == leader.core?.lastIndex)
    #expect(peer(leader, 3)?.inflight == 0)
  }

  @Test("no more bytes than allowed are on their way to a peer")
  func inflightBytes() throws {
    let (cluster, leader) = group { $0.maxInflightBytes = 1000 }
    cluster.isCut = { $0.to == replica(3) && $0.kind == .append }
    for _ in 0..<20 {
      try cluster.propose(leader, Array(repeating: 7, count: 400))
      cluster.settle()
    }
    #expect(peer(leader, 3)?.inflight == 3, "the third passes the limit, the fourth waits")
    cluster.heal()
    cluster.run(milliseconds: 500)
    #expect(cluster.node(3).machine.index == leader.core?.commit)
  }

  @Test("an append carries at most the bytes allowed, and one entry however large")
  func messageBytes() throws {
    let (cluster, leader) = group { $0.maxMessageBytes = 300 }
    cluster.recordsMessages = true
    try cluster.with(leader) { core, now in
      let sizes = [10, 10, 500, 10, 200, 200]
      _ = try core.propose(sizes.map { Array(repeating: 1, count: $0) }, now: now)
    }
    cluster.settle()
    let sizes = cluster.delivered.filter { $0.kind == .append && $0.to == replica(2) && !$0.entries.isEmpty }
      .map { $0.entries.map(\.payload.count) }
    #expect(sizes == [[10, 10], [500], [10, 200], [200]])
  }

  @Test("proposals stop at the limit of uncommitted bytes, except for a single one, and go on after a commit")
  func uncommitted() throws {
    let (cluster, leader) = group { $0.maxUncommittedBytes = 100 }
    cluster.partition([replica(1)])
    try cluster.propose(leader, Array(repeating: 1, count: 500))
    #expect(throws: RaftError.uncommittedLimit(bytes: 501, limit: 100)) { try cluster.propose(leader, [1]) }
    cluster.heal()
    cluster.run(milliseconds: 300)
    try cluster.propose(leader, Array(repeating: 1, count: 60))
    #expect(leader.core?.uncommittedBytes == 60)
    cluster.settle()
    #expect(leader.core?.uncommittedBytes == 0)
  }

  @Test("a payload that peers would refuse to read is not proposed")
  func oversized() {
    let (cluster, leader) = group { _ in }
    let limit = Limits.entryBytes.rawValue
    #expect(throws: RaftError.payloadTooLarge(bytes: limit + 1, limit: limit)) {
      try cluster.propose(leader, Array(repeating: 0, count: limit + 1))
    }
  }

  @Test("entries are handed out to be applied in bounded pieces, in order")
  func applyBytes() throws {
    let (cluster, leader) = group { $0.maxApplyBytes = 100 }
    leader.appliesByItself = false
    try cluster.with(leader) { core, now in
      _ = try core.propose((0..<10).map { Array(repeating: $0, count: 30) }, now: now)
    }
    cluster.settle()
    var core = try #require(leader.core)
    #expect(leader.applyQueue.map(\.index) == (3...12).map(index), "all were taken, one Ready after the other")
    core.applied(to: index(12))
    #expect(core.applied == index(12))
  }

  @Test("an unreachable peer is probed, one append at a time, until it answers")
  func unreachable() throws {
    let (cluster, leader) = group { _ in }
    cluster.isCut = { $0.to == replica(3) }
    cluster.with(leader) { core, _ in core.reportUnreachable(replica(3)) }
    for value: UInt8 in 0..<5 { try cluster.propose(leader, [value]) }
    #expect(peer(leader, 3)?.flow == .probe)
    #expect(peer(leader, 3)?.paused == true)
    cluster.heal()
    cluster.run(milliseconds: 300)
    #expect(peer(leader, 3)?.flow == .replicate)
    #expect(peer(leader, 3)?.match == leader.core?.lastIndex)
  }
}
