import Bytes
import Environment
import Simulation
import Testing
import Wire

@testable import Node

@Suite struct PeerCallTests {
  /// Found by the simulator (seed 4 of profile damage): after a restart ids began at 1 again, and the answer to a write
  /// that the process before had passed on acknowledged another one.
  @Test("the ids of calls and transfers are others in each life of a process")
  func ids() throws {
    let world = try SimulatedWorld(seed: 1)
    let id = NodeID(rawValue: 1)
    var seen: Set<UInt64> = []
    for _ in 0..<5 {
      let host = try #require(world.hosts[id])
      var calls = host.node.calls
      for _ in 0..<100 {
        let call = calls.begin(NodeID(rawValue: 2), deadline: Moment(rawValue: 1)) { _ in }
        #expect(seen.insert(call).inserted)
      }
      world.exit(id)
      try world.start(id)
    }
  }
}
