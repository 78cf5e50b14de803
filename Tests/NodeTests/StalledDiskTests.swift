import Bytes
import Environment
import Simulation
import Testing

@testable import Node

@Suite("A disk that stalls")
struct StalledDiskTests {
  @Test("what a follower hears meanwhile adds nothing to what waits for its log, unless it has to be written")
  func heartbeats() throws {
    let world = try SimulatedWorld(seed: 1_795_745_469, partitions: 1)
    for _ in 0..<2 { _ = try world.join() }
    try #require(world.settle())
    let follower = try #require(world.hosts.values.first { !$0.node.leads(GroupID(rawValue: 1)) })
    follower.laneDelays[.log] = 20_000_000_000
    #expect(world.put("a", "1", id: 1) != nil)
    // A hundred rounds of heartbeats, each of which is answered behind the write of the entry.
    world.run(milliseconds: 10_000)
    let waiting = follower.node.queueLengths.filter { ["log writes", "held messages"].contains($0.name) }
    #expect(waiting.allSatisfy { (1...4).contains($0.count) }, "\(waiting)")
    follower.laneDelays[.log] = 0
    #expect(world.settle())
  }
}
