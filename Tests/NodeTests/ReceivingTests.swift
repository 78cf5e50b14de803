import Bytes
import Simulation
import Testing

@testable import Node

@Suite("A replica that gets its whole state from another")
struct ReceivingTests {
  @Test("wherever power goes meanwhile, it has the old state or the new one, and nothing of it must be replaced")
  func powerLoss() throws {
    var options = NodeOptions()
    options.keptLogBytes = 4 << 10
    options.store.memtableBytes = 8 << 10
    let world = try SimulatedWorld(seed: 5, partitions: 1, options: options)
    for _ in 0..<2 { _ = try world.join() }
    try #require(world.settle())
    let late = NodeID(rawValue: 3)
    var values: [String: String] = [:]
    var id: UInt64 = 0
    for pause in stride(from: 0, through: 900, by: 60) as StrideThrough<UInt64> {
      world.kill(late)
      for number in 0..<20 {
        id += 1
        values["k\(number)"] = "\(id) " + String(repeating: "x", count: 2_000)
        let written = SimulatedWorld.write("k\(number)", values["k\(number)"], id: id)
        while world.ask(written)?.version == nil { world.run(milliseconds: 100) }
      }
      try world.start(late)
      // Two parts arrive and the whole is put in force, one job after the other.
      let host = try #require(world.hosts[late])
      host.laneDelays[.background] = 200_000_000
      #expect(world.run(milliseconds: 20_000) { host.node.partitions.contains { $0.isReceiving } })
      world.run(milliseconds: pause)
      world.kill(late)
      try world.start(late)
      #expect(try #require(world.hosts[late]).node.fencedReplicas.isEmpty, "\(pause) ms after it began to arrive")
      #expect(world.settle(), "\(pause) ms after it began to arrive")
    }
    for (key, value) in values { #expect(world.get(key) == value) }
  }
}
