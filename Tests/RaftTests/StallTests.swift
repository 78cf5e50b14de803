import Bytes
import Testing

@testable import Raft

@Suite("A leader whose disk stalls")
struct StallTests {
  @Test("hands leadership over; what it had sent out is committed by the others")
  func handsOver() throws {
    let cluster = TestCluster(voters: [1, 2, 3])
    let leader = cluster.elect(1)
    leader.syncsByItself = false
    try cluster.propose(leader, [1])
    cluster.run(milliseconds: 2_900)
    #expect(leader.core?.isLeader == true, "a slow disk is no stalled one")
    cluster.run(milliseconds: 500)
    #expect(leader.core?.isLeader == false)
    let next = try #require(cluster.leader)
    #expect(next.id != leader.id)
    #expect(next.machine.index == index(4))
    leader.syncsByItself = true
    cluster.sync(leader)
    cluster.run(milliseconds: 500)
    #expect(leader.machine == next.machine)
    #expect(cluster.history.faults == [])
  }

  @Test("steps down if nobody takes over in time, and can't be elected before its disk works")
  func stepsDown() throws {
    let cluster = TestCluster(voters: [1, 2, 3])
    let leader = cluster.elect(1)
    leader.syncsByItself = false
    try cluster.propose(leader, [1])
    // Both follow, and neither hears the order to campaign.
    cluster.isCut = { $0.kind == .timeoutNow }
    cluster.run(milliseconds: 4_300)
    #expect(leader.core?.isLeader == false)
    cluster.run(milliseconds: 3_000)
    let next = try #require(cluster.leader)
    #expect(next.id != leader.id)
    #expect(cluster.history.faults == [])
  }

  @Test("stays where it is the only voter")
  func alone() throws {
    let cluster = TestCluster(voters: [1])
    let leader = cluster.node(1)
    #expect(leader.core?.isLeader == true)
    leader.syncsByItself = false
    try cluster.propose(leader, [1])
    cluster.run(milliseconds: 10_000)
    #expect(leader.core?.isLeader == true)
    leader.syncsByItself = true
    cluster.sync(leader)
    #expect(leader.machine.index == index(3))
  }

  @Test("stays where writes are slow but end")
  func slow() throws {
    let cluster = TestCluster(voters: [1, 2, 3])
    let leader = cluster.elect(1)
    leader.syncsByItself = false
    for value: UInt8 in 0..<10 {
      try cluster.propose(leader, [value])
      cluster.run(milliseconds: 1_500)
      cluster.sync(leader)
      #expect(leader.core?.isLeader == true)
    }
  }
}
