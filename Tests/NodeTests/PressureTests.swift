import Bytes
import Environment
import Simulation
import Testing
import Wire

@testable import Node

@Suite("Writes that come faster than the disk takes them")
struct PressureTests {
  private static let megabyte = String(repeating: "x", count: 1 << 20)

  private func failTables(of world: SimulatedWorld) {
    for host in world.hosts.values {
      host.disk.inject(DiskFault(times: nil) { $0.kind == .write && $0.path.hasSuffix(".sst") })
    }
  }

  @Test("while flushes fail, writes are slowed down, then refused with a reason to try again; memory stays bounded")
  func refused() throws {
    let world = try SimulatedWorld(seed: 1, partitions: 1)
    failTables(of: world)
    var refusal: WireFailure?
    var id: UInt64 = 0
    while refusal == nil, id < 100 {
      id += 1
      refusal = world.ask(SimulatedWorld.write("k\(id)", Self.megabyte, id: id))?.failure
    }
    #expect(refusal?.code == .unavailable)
    #expect(refusal?.message.contains("try again") == true, "\(String(describing: refusal))")
    let host = try #require(world.hosts.values.first)
    let partition = try #require(host.node.partitions.first)
    let bound = (Limits.mostMemtables + 1) * host.node.storage.storeOptions.memtableBytes
    #expect(partition.store.memtableBytes <= bound)
    #expect(world.get("k1") == Self.megabyte, "reads go on")
    host.disk.clearFaults()
    world.run(milliseconds: 5_000)
    #expect(partition.pressure == .none)
    #expect(world.put("k\(id)", "v", id: id) != nil, "the same request is taken")
    for number in 1..<id { #expect(world.get("k\(number)") == Self.megabyte) }
  }

  @Test("a follower that can't flush takes no more entries, and catches up once it can")
  func follower() throws {
    let world = try SimulatedWorld(seed: 2, partitions: 1)
    for _ in 1..<3 { _ = try world.join() }
    try #require(world.settle())
    let leader = try #require(world.leader(ofKey: "k"))
    let slow = try #require(world.hosts.values.first { $0.id != leader })
    slow.disk.inject(DiskFault(times: nil) { $0.kind == .write && $0.path.hasSuffix(".sst") })
    for id in 1...60 as ClosedRange<UInt64> {
      #expect(world.ask(SimulatedWorld.write("k\(id)", Self.megabyte, id: id), of: leader)?.version != nil)
    }
    let partition = try #require(slow.node.partitions.first)
    let bound = (Limits.mostMemtables + 2) * slow.node.storage.storeOptions.memtableBytes
    #expect(partition.store.memtableBytes <= bound, "\(partition.store.memtableBytes)")
    slow.disk.clearFaults()
    #expect(world.settle())
    #expect(partition.store.memtableBytes <= 2 * slow.node.storage.storeOptions.memtableBytes)
  }

  @Test("a flush and a compaction of one store run side by side")
  func sideBySide() throws {
    let world = try SimulatedWorld(seed: 3, partitions: 1)
    let host = try #require(world.hosts.values.first)
    let partition = try #require(host.node.partitions.first)
    host.laneDelays[.background] = 50_000_000
    for id in 1...30 as ClosedRange<UInt64> {
      world.send(SimulatedWorld.write("k\(id % 7)", Self.megabyte, id: id), to: host.id) { _ in }
    }
    #expect(world.run(milliseconds: 1_000) { partition.jobs.isFlushing && partition.jobs.isCompacting })
    world.run(milliseconds: 3_000)
    #expect(world.get("k1") == Self.megabyte)
  }
}
