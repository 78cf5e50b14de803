import Bytes
import Simulation
import Testing

@testable import Node

@Suite("A replica that gets its whole state from another")
struct ReceivingTests {
  @Test("a transfer that is held back for longer than a stalled one may last comes to its end all the same")
  func heldBack() throws {
    let world = try SimulatedWorld(seed: 6, partitions: 1)
    let value = String(repeating: "x", count: 100_000)
    for id in 1...12 as ClosedRange<UInt64> { #expect(world.put("k\(id)", value, id: id) != nil) }
    let first = try #require(world.hosts.values.first)
    // A chunk takes 16 s.
    first.node.limitMoves(bytesPerSecond: 16 << 10)
    world.run(milliseconds: 2_000)
    let joiner = try world.join()
    var arrived: [UInt64] = []
    let isDone = world.run(milliseconds: 200_000) {
      let progress = world.hosts[joiner]?.node.transfers.progress(of: GroupID(rawValue: 1))
      if let bytes = progress?.arrived, bytes != arrived.last { arrived.append(bytes) }
      return first.node.catalog.catalog?.state.partitions[0].replicas.count { $0.state == .voter } == 2
    }
    #expect(isDone && arrived.count >= 4 && arrived == arrived.sorted(), "\(arrived)")
  }

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
      let node = try #require(world.hosts[late]?.node)
      try #require(world.run(milliseconds: 2_000) { !node.isRecollecting })
      #expect(node.fencedReplicas.isEmpty, "\(pause) ms after it began to arrive")
      #expect(world.settle(), "\(pause) ms after it began to arrive")
    }
    for (key, value) in values { #expect(world.get(key) == value) }
  }
}
