import Bytes
import Raft
import Simulation
import Testing
import Wire

@testable import Node

@Suite struct CatalogFileTests {
  /// Found by the simulator (seed 181 of profile default): the file fell back behind the log, and at the next start the
  /// node discarded acknowledged entries.
  @Test("the catalog's file is not replaced by an older state while a received one is being put in its place")
  func olderStateOverNewer() throws {
    let world = try SimulatedWorld(seed: 1)
    let id = NodeID(rawValue: 1)
    let host = try #require(world.hosts[id])
    let catalog = host.node.catalog
    world.run(milliseconds: 1_000)
    let present = try #require(catalog.captureState())
    #expect(present.point.index > catalog.flushedIndex, "the state must be worth a flush")
    let point = SnapshotHeader(
      index: present.point.index + 1000, term: present.point.term, membership: present.point.membership)
    let sink = StateSink(directory: nil)
    catalog.install(ReceivedState(sender: id, point: point, state: present.state, sink: sink)) { _ in }
    catalog.flush()
    world.run(milliseconds: 200)
    let storage = host.node.storage
    guard case .found(let file) = try NodeDirectory.catalog("/node", of: "simulated", on: storage.disk).read() else {
      Issue.record("no catalog")
      return
    }
    #expect(WireSnapshotTrailer(untrusted: file)?.index == point.index.rawValue)
  }

  @Test("a node alone whose catalog is older than what its log has let go of does not start")
  func stateBehindLog() throws {
    let world = try SimulatedWorld(seed: 1)
    let id = NodeID(rawValue: 1)
    let host = try #require(world.hosts[id])
    let paths = ["/node/catalog", "/node/catalog.copy"]
    func contents() throws -> [[UInt8]] { try paths.map { try host.disk.contents(of: $0, limit: 1 << 20) } }
    let old = try contents()
    world.run(milliseconds: 1_000)
    host.node.catalog.flush()
    world.run(milliseconds: 1_000)
    #expect(try contents() != old)
    world.exit(id)
    for (path, bytes) in zip(paths, old) { try host.disk.replace(path, with: bytes) }
    let error = #expect(throws: NodeError.self) { try world.start(id) }
    #expect(error.map { "\($0)" }?.contains("its log begins after") == true)
  }
}
