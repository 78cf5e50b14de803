import Bytes
import Simulation
import Testing
import Wire

@testable import Node

@Suite("What a node can't do without is kept twice")
struct PairedFileTests {
  private let disk = SimulatedDisk(directories: ["/node"])
  private var file: PairedFile { PairedFile("/node/file", on: disk) }
  private let bytes = Array("what counts".utf8)

  private func found() throws -> [UInt8]? {
    if case .found(let bytes) = try file.read() { bytes } else { nil }
  }

  @Test("every byte of one of the two may be wrong, or all of it gone: the other counts, and mends it")
  func either() throws {
    for place in [file.path, file.copy] {
      for offset in 0..<bytes.count + 4 {
        try file.replace(with: bytes)
        disk.flip(place, at: offset)
        #expect(try found() == bytes)
        #expect(try file.mend() == .mended([place]))
        #expect(try file.mend() == .sound)
      }
      try file.replace(with: bytes)
      try disk.remove(place)
      #expect(try found() == bytes)
      _ = try file.mend()
      #expect(disk.exists(place))
    }
  }

  @Test("where both are wrong nothing is said but that, and nothing is changed")
  func both() throws {
    guard case .missing = try file.read() else {
      Issue.record("there is nothing yet")
      return
    }
    try file.replace(with: bytes)
    for place in [file.path, file.copy] { disk.flip(place, at: 7) }
    guard case .damaged = try file.read() else {
      Issue.record("both are damaged")
      return
    }
    let before = try disk.contents(of: file.path, limit: 100)
    #expect(try file.mend() == .lost)
    #expect(try disk.contents(of: file.path, limit: 100) == before)
  }

  @Test("a crash at any step of a replacement leaves what was, or what is new")
  func crash() throws {
    let new = Array("what counts from now on".utf8)
    try file.replace(with: bytes)
    for step in 0... {
      let copy = disk.clone()
      copy.powerOff(afterSteps: step)
      let isDone = (try? PairedFile(file.path, on: copy).replace(with: new)) != nil
      copy.crash(seed: UInt64(step))
      let file = PairedFile(file.path, on: copy)
      guard case .found(let found) = try file.read() else {
        Issue.record("nothing is left after step \(step)")
        return
      }
      #expect(found == new || found == bytes && !isDone, "step \(step)")
      #expect(try file.mend() == .sound, "step \(step): an older copy is no damage")
      #expect(try copy.contents(of: file.copy, limit: 100) == Checked.wrap(found), "step \(step)")
      if isDone { return }
    }
  }

  @Test("one of the node's files in the place of another is not what counts, although it fits its checksum")
  func other() throws {
    let world = try SimulatedWorld(seed: 1, partitions: 4)
    let disk = try #require(world.hosts.values.first).disk
    let identity = NodeDirectory.identity("/node", on: disk)
    let catalog = NodeDirectory.catalog("/node", of: "simulated", on: disk)
    for (file, wrong) in [(identity, catalog), (catalog, identity)] {
      let sound = try disk.contents(of: file.path, limit: 1 << 20)
      try disk.replace(file.path, with: disk.contents(of: wrong.path, limit: 1 << 20))
      #expect(try file.mend() == .mended([file.path]))
      #expect(try disk.contents(of: file.path, limit: 1 << 20) == sound)
      try disk.replace(file.copy, with: disk.contents(of: wrong.path, limit: 1 << 20))
      #expect(try file.mend() == .mended([file.copy]))
      for place in [file.path, file.copy] {
        try disk.replace(place, with: disk.contents(of: wrong.path, limit: 1 << 20))
      }
      #expect(try file.mend() == .lost)
      for place in [file.path, file.copy] { try disk.replace(place, with: sound) }
    }
  }

  @Test("a catalog of another cluster is none: the copy counts, and where that is another's too the node doesn't start")
  func othersCatalog() throws {
    let disk = try #require(try SimulatedWorld(seed: 1, partitions: 4).hosts.values.first).disk
    let catalog = NodeDirectory.catalog("/node", of: "simulated", on: disk)
    guard case .found(let sound) = try catalog.read(), var trailer = WireSnapshotTrailer(untrusted: sound),
      var state = WireCatalogState(untrusted: trailer.state.array)
    else {
      Issue.record("no catalog")
      return
    }
    state.cluster = "another"
    trailer.state = .init(state.encoded)
    let foreign = Checked.wrap(trailer.encoded)
    try disk.replace(catalog.path, with: foreign)
    let opened = try OpenedDirectory.open("/node", on: disk, cacheBytes: 1 << 20)
    #expect(opened.catalog?.state.state.cluster == "simulated")
    #expect(try catalog.mend() == .mended([catalog.path]))
    for place in [catalog.path, catalog.copy] { try disk.replace(place, with: foreign) }
    let error = #expect(throws: NodeError.self) {
      _ = try OpenedDirectory.open("/node", on: disk, cacheBytes: 1 << 20)
    }
    #expect(error.map { "\($0)" }?.contains("another cluster's") == true)
  }

  @Test("a running node writes a FORMAT file that names none anew", arguments: [5, 13])
  func format(kept: Int) throws {
    let world = try SimulatedWorld(seed: 1, partitions: 1)
    try #require(world.settle())
    let disk = try #require(world.hosts.values.first).disk
    let sound = try disk.contents(of: "/node/FORMAT", limit: 64)
    try disk.replace("/node/FORMAT", with: Array(sound.prefix(kept)))
    world.run(milliseconds: 2 * Limits.pairedFileCheckMilliseconds)
    #expect(try disk.contents(of: "/node/FORMAT", limit: 64) == sound)
  }

  @Test(
    "a running node finds a catalog or an identity that has gone bad, also both files of a catalog, and mends it",
    arguments: [["catalog"], ["catalog.copy"], ["node"], ["node.copy", "catalog"], ["catalog", "catalog.copy"]])
  func running(damaged: [String]) throws {
    let world = try SimulatedWorld(seed: 1, partitions: 4)
    for _ in 1..<3 { _ = try world.join() }
    try #require(world.settle())
    for id in 1...20 as ClosedRange<UInt64> { #expect(world.put("k\(id)", "v", id: id) != nil) }
    for host in world.hosts.values {
      for name in damaged { host.disk.flip("/node/\(name)", at: 40) }
    }
    world.run(milliseconds: 2 * Limits.pairedFileCheckMilliseconds)
    for host in world.hosts.values {
      for name in damaged {
        #expect(Checked.unwrap(try host.disk.contents(of: "/node/\(name)", limit: 1 << 20)) != nil, "\(name)")
      }
    }
    let nodes = Array(world.hosts.keys)
    for node in nodes { world.kill(node) }
    for node in nodes { try world.start(node) }
    #expect(world.settle(), "\(world.statuses.flatMap(\.problems))")
    for id in 1...20 as ClosedRange<UInt64> { #expect(world.get("k\(id)") == "v") }
  }
}
