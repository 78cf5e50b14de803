import Bytes
import Environment
import Simulation
import Testing
import Wire

@testable import Node

@Suite("The making of a directory")
struct DirectoryMakingTests {
  private func make(on disk: SimulatedDisk) throws {
    try NodeDirectory.beginMaking("/node", restores: false, on: disk)
    try NodeDirectory.createCluster(
      "/node", on: disk, cluster: "made", partitions: 4, authority: [1],
      node: .with { ($0.id, $0.address, $0.format) = (1, "node1:1", NodeDirectory.format) }, publicKey: [1],
      sealedAuthorityKey: [2], listen: "node1:1", clusterFile: [3])
    try NodeDirectory.removeMarks("/node", on: disk)
  }

  private func disk() throws -> SimulatedDisk {
    let disk = SimulatedDisk()
    try disk.createDirectory("/node")
    try disk.syncDirectory("/")
    return disk
  }

  @Test("cut off at any step, and again at any, it is begun anew by the same call, and the node is whole")
  func cutOff() throws {
    let whole = try disk()
    let before = whole.steps
    try make(on: whole)
    let steps = whole.steps - before
    #expect(steps > 50)
    for step in stride(from: 0, to: steps, by: 4) {
      let disk = try disk()
      for later in [step, (step * 7 + 3) % steps] where try NodeDirectory.kind(of: "/node", on: disk) == .empty {
        disk.powerOff(afterSteps: later)
        // The second attempt may find so much done that it ends before.
        try? make(on: disk)
        disk.crash(seed: UInt64(step))
      }
      if try NodeDirectory.kind(of: "/node", on: disk) == .empty { try make(on: disk) }
      let opened = try OpenedDirectory.open("/node", on: disk, cacheBytes: 1 << 20)
      #expect(opened.stores.count == 4 && opened.catalog != nil, "step \(step)")
      #expect(try disk.contents(of: "/node/cluster.kv", limit: 10) == [3], "step \(step)")
    }
  }

  @Test("what is left of a directory without a mark is nobody's to make anew", arguments: ["node", "catalog", "log"])
  func remains(name: String) throws {
    let disk = try disk()
    try disk.replace("/node/\(name)", with: [1])
    guard case .foreign = try NodeDirectory.kind(of: "/node", on: disk) else {
      Issue.record("taken for an empty place")
      return
    }
    try NodeDirectory.beginMaking("/node", restores: false, on: disk)
    #expect(try NodeDirectory.kind(of: "/node", on: disk) == .empty)
  }
}
