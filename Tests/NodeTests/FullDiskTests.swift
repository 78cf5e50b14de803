import Bytes
import Environment
import Simulation
import Testing
import Wire

@testable import Node

@Suite("disk-full: a node without room is read-only, and recovers by itself")
struct FullDiskTests {
  private static let value = String(repeating: "x", count: 100_000)

  /// Writes until a write is refused; gives the refusal and how many were taken.
  private func fill(_ world: SimulatedWorld, of node: NodeID? = nil, from start: UInt64 = 1, most: UInt64 = 2_000) -> (
    refusal: WireFailure?, count: UInt64
  ) {
    var id = start
    while id < start + most {
      if let failure = world.ask(SimulatedWorld.write("k\(id)", Self.value, id: id), of: node)?.failure {
        return (failure, id - start)
      }
      id += 1
    }
    return (nil, most)
  }

  private func isFull(_ world: SimulatedWorld, _ id: NodeID) -> Bool {
    world.statuses.first { $0.node == id.rawValue }?.readOnly ?? false
  }

  @Test("puts are refused with a reason, reads and deletions go on, and with room again so do puts, without a restart")
  func oneNode() throws {
    let world = try SimulatedWorld(seed: 1, partitions: 1, reserveBytes: .mebibytes(8))
    world.run(milliseconds: 2_000)
    let host = try #require(world.hosts.values.first)
    #expect(host.disk.exists("/node/reserve"))
    host.disk.setCapacity(80 << 20)
    let (refusal, count) = fill(world)
    #expect(refusal?.code == .diskFull)
    #expect(refusal?.message.contains("disk is full") == true)
    #expect(count > 100 && count < 800)
    #expect(isFull(world, host.id))
    world.run(milliseconds: 10)
    #expect(!host.disk.exists("/node/reserve"))
    #expect(world.get("k7") == Self.value)
    for number in 1...20 as ClosedRange<UInt64> {
      #expect(world.put("k\(number)", nil, id: 10_000 + number) != nil, "a deletion")
      #expect(world.get("k\(number)") == nil)
    }
    world.run(milliseconds: 10_000)
    #expect(world.stops.isEmpty && world.hosts.count == 1)
    world.kill(host.id)
    try world.start(host.id)
    world.run(milliseconds: 2_000)
    #expect(isFull(world, host.id), "after a restart as well")
    #expect(world.get("k7") == nil && world.get("k21") == Self.value)
    #expect(world.ask(SimulatedWorld.write("k", "v", id: 19_000))?.failure?.code == .diskFull)
    #expect(world.put("k21", nil, id: 19_001) != nil)
    host.disk.setCapacity(400 << 20)
    world.run(milliseconds: 3_000)
    #expect(!isFull(world, host.id))
    #expect(host.disk.exists("/node/reserve"))
    #expect(world.put("after", "v", id: 20_000) != nil)
    for number in stride(from: 22, through: count, by: 7) { #expect(world.get("k\(number)") == Self.value) }
    world.kill(host.id)
    try world.start(host.id)
    for number in stride(from: 22, through: count, by: 7) { #expect(world.get("k\(number)") == Self.value) }
  }

  @Test("the node whose disk is full gives its leaderships away; the cluster goes on, and it comes back")
  func handsOver() throws {
    let world = try SimulatedWorld(seed: 2, partitions: 4, reserveBytes: .mebibytes(8))
    for _ in 1..<3 { _ = try world.join() }
    try #require(world.settle())
    world.run(milliseconds: 10_000)
    let victim = try #require(world.leader(ofKey: "k1"))
    let host = try #require(world.hosts[victim])
    let other = try #require(world.hosts.keys.first { $0 != victim })
    host.disk.setCapacity(16 << 20)
    world.run(milliseconds: 5_000)
    #expect(isFull(world, victim))
    #expect(host.node.replicas.values.allSatisfy { !$0.core.isLeader }, "it leads nothing")
    for id in 1...50 as ClosedRange<UInt64> {
      #expect(world.ask(SimulatedWorld.write("k\(id)", Self.value, id: id), of: victim)?.version != nil)
    }
    world.run(milliseconds: 20_000)
    #expect(host.node.replicas.values.allSatisfy { !$0.core.isLeader }, "nor is it given anything back")
    #expect(world.stops.isEmpty)
    host.disk.setCapacity(nil)
    #expect(world.settle())
    world.run(milliseconds: 20_000)
    #expect(!isFull(world, victim))
    #expect(host.node.replicas.values.contains { $0.core.isLeader }, "it leads again")
    guard case .get(let response)? = world.ask(SimulatedWorld.read("k9"), of: other) else {
      Issue.record("the read was refused")
      return
    }
    #expect(response.value == .init(Self.value.utf8))
  }

  @Test("a replica that finds no room while it receives its state gets it once there is room")
  func receiving() throws {
    let world = try SimulatedWorld(seed: 3, partitions: 2, reserveBytes: .mebibytes(8))
    for id in 1...200 as ClosedRange<UInt64> { #expect(world.put("k\(id)", Self.value, id: id) != nil) }
    let id = try world.join()
    let host = try #require(world.hosts[id])
    #expect(world.run(milliseconds: 10_000) { host.node.partitions.contains { !$0.hasState } })
    // Its log and the reserve fit, but not the records of one partition; the other comes only when that votes.
    host.disk.setCapacity(40 << 20)
    world.run(milliseconds: 30_000)
    #expect(world.stops.isEmpty && isFull(world, id))
    #expect(host.node.partitions.contains { !$0.hasState })
    host.disk.setCapacity(nil)
    #expect(world.settle(), "\(world.statuses.flatMap(\.problems))")
    #expect(!isFull(world, id))
  }

  @Test("a node that can open no more files goes on, and takes writes again once it can")
  func descriptors() throws {
    let tooManyOpenFiles: Int32 = 24
    var options = NodeOptions()
    options.log.segmentBytes = .mebibytes(1)
    let world = try SimulatedWorld(seed: 4, partitions: 2, options: options)
    let host = try #require(world.hosts.values.first)
    #expect(world.put("k0", Self.value, id: 5_000) != nil)
    host.disk.inject(DiskFault(code: tooManyOpenFiles, times: nil) { [.open, .create].contains($0.kind) })
    let (refusal, count) = fill(world, most: 400)
    #expect(refusal != nil && count > 0, "the log has to go on in another file at some time")
    world.run(milliseconds: 5_000)
    #expect(world.stops.isEmpty && world.get("k0") == Self.value)
    let words = world.ask(SimulatedWorld.write("k0", Self.value, id: 5_500))?.failure?.message ?? ""
    #expect(words.contains("no more files can be opened") && !words.contains("disk"), "\(words)")
    let problems = world.statuses.flatMap(\.problems)
    #expect(problems.contains { $0.hasPrefix("no more files can be opened: ") }, "\(problems)")
    host.disk.clearFaults()
    world.run(milliseconds: 5_000)
    #expect(world.put("end", "v", id: 6_000) != nil && !isFull(world, host.id))
    world.kill(host.id)
    try world.start(host.id)
    #expect(world.get("end") == "v")
    for id in 1..<max(2, count) { #expect(world.get("k\(id)") == Self.value, "k\(id)") }
  }

  @Test("wherever it runs out of room, it stops nothing for good", arguments: 1...12 as ClosedRange<UInt64>)
  func anywhere(seed: UInt64) throws {
    let world = try SimulatedWorld(seed: seed, partitions: 2)
    let host = try #require(world.hosts.values.first)
    var random = SplitMix64(seed: seed)
    var taken: [UInt64] = []
    for id in 1...150 as ClosedRange<UInt64> {
      if id % 50 == 10 {
        // Some kind of file finds no room for a while.
        let suffix = [".log", ".sst", "spare.tmp", "catalog.tmp", "/manifest"].randomElement(using: &random)!
        host.disk.inject(
          DiskFault(code: DiskFault.noSpace, times: Int.random(in: 1...6, using: &random)) {
            [.create, .write].contains($0.kind) && ($0.path.hasSuffix(suffix) || $0.path.contains(suffix))
          })
        for partition in host.node.partitions { partition.flush() }
        host.node.catalog.flush()
      }
      if world.put("k\(id)", Self.value, id: id) != nil { taken.append(id) } else { world.run(milliseconds: 1_000) }
    }
    host.disk.clearFaults()
    world.run(milliseconds: 5_000)
    #expect(world.stops.isEmpty, "seed \(seed)")
    #expect(world.put("end", "v", id: 1_000) != nil, "seed \(seed)")
    #expect(taken.count > 75, "seed \(seed)")
    for id in taken { #expect(world.get("k\(id)") == Self.value, "seed \(seed)") }
    world.kill(host.id)
    try world.start(host.id)
    for id in taken { #expect(world.get("k\(id)") == Self.value, "seed \(seed)") }
  }
}
