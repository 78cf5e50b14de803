import Bytes
import Environment
import Simulation
import Testing

@Suite("The simulated disk")
struct SimulatedDiskTests {
  let disk = SimulatedDisk(directories: ["d"])

  private func file(_ path: String, _ bytes: [UInt8], on disk: SimulatedDisk, sync: Bool) throws -> any DiskFile {
    let file = try disk.open(path, .create)
    try file.write(bytes, at: 0)
    if sync { try file.sync() }
    return file
  }

  @Test("It reads, writes, cuts, lists, renames and removes like a file system")
  func fileSystem() throws {
    let a = try file("d/a", [1, 2, 3], on: disk, sync: false)
    try a.write([9], at: 10_000)
    #expect(try a.size() == 10_001)
    #expect(try a.read(at: 2, count: 3) == [3, 0, 0])
    #expect(try a.read(at: 9_999, count: 9) == [0, 9])
    try a.truncate(to: 2)
    try a.truncate(to: 4)
    #expect(try disk.contents(of: "/d/a", limit: 9) == [1, 2, 0, 0])
    _ = try disk.open("d/b", .create)
    try disk.rename("d/a", to: "d/b")
    #expect(try disk.list("d") == ["b"])
    #expect(disk.exists("d/b") && !disk.exists("d/a"))
    #expect(throws: DiskError(operation: "create", path: "d/b", code: 17)) { try disk.open("d/b", .create) }
    #expect(throws: DiskError(operation: "open", path: "d/a", code: 2)) { try disk.open("d/a", .read) }
    #expect(throws: DiskError(operation: "remove", path: "d", code: 39)) { try disk.remove("d") }
    #expect(throws: DiskError(operation: "create", path: "x/y", code: 2)) { try disk.open("x/y", .create) }
    #expect(throws: DiskError(operation: "write", path: "d/b", code: 9)) {
      try disk.open("d/b", .read).write([1], at: 0)
    }
    try disk.remove("d/b")
    #expect(try a.read(at: 0, count: 9) == [1, 2, 0, 0], "an open file lives on without its name")
    try disk.remove("d")
    #expect(try disk.list("/") == [])
  }

  @Test("A linked file has two names, and lives on with either; a crash keeps those that were synced")
  func links() throws {
    for seed in 0..<40 as Range<UInt64> {
      let disk = disk.clone()
      _ = try file("d/a", [1, 2], on: disk, sync: true)
      try disk.link("d/a", to: "d/b")
      #expect(throws: DiskError(operation: "link", path: "d/a", code: 17)) { try disk.link("d/a", to: "d/b") }
      try disk.syncDirectory("d")
      try disk.link("d/b", to: "d/c")
      try disk.remove("d/a")
      disk.crash(seed: seed)
      #expect(try disk.contents(of: "d/b", limit: 9) == [1, 2])
      for name in try disk.list("d") { #expect(try disk.contents(of: "d/\(name)", limit: 9) == [1, 2]) }
    }
  }

  @Test("What was synced, name and contents, survives every crash")
  func durable() throws {
    for seed in 0..<100 as Range<UInt64> {
      let disk = disk.clone()
      let a = try file("d/a", [1, 2, 3], on: disk, sync: true)
      try disk.syncDirectory("d")
      try a.write([7], at: 1)
      try a.sync()
      disk.crash(seed: seed)
      #expect(try disk.contents(of: "d/a", limit: 9) == [1, 7, 3], "seed \(seed)")
      #expect(throws: DiskError(operation: "read", path: "d/a", code: 116)) { try a.read(at: 0, count: 1) }
    }
  }

  @Test("Unsynced writes are kept, lost, torn at sectors and reordered, each under some seed")
  func unsynced() throws {
    let sector = SimulatedDisk.sectorBytes
    let first = try file("d/a", [UInt8](repeating: 1, count: 4 * sector), on: disk, sync: true)
    try disk.syncDirectory("d")
    try first.write([UInt8](repeating: 2, count: 3 * sector), at: 0)
    try first.write([UInt8](repeating: 3, count: sector), at: UInt64(3 * sector))
    var seen: Set<[UInt8]> = []
    for seed in 0..<300 as Range<UInt64> {
      let copy = disk.clone()
      copy.crash(seed: seed)
      let bytes = try copy.contents(of: "d/a", limit: 4 * sector)
      #expect(bytes.count == 4 * sector)
      let sectors = stride(from: 0, to: bytes.count, by: sector).map { bytes[$0] }
      for (at, value) in sectors.enumerated() {
        #expect(bytes[at * sector..<(at + 1) * sector].allSatisfy { $0 == value }, "seed \(seed): sectors are whole")
      }
      seen.insert(sectors)
    }
    #expect(seen.contains([1, 1, 1, 1]), "lost")
    #expect(seen.contains([2, 2, 2, 3]), "kept")
    #expect(seen.contains([2, 2, 2, 1]), "a prefix")
    #expect(seen.contains([1, 1, 1, 3]), "reordered")
    #expect(seen.contains([1, 2, 1, 1]), "torn")
  }

  @Test("A file that grew without a sync may have its size without its bytes, or neither")
  func size() throws {
    let a = try file("d/a", [1], on: disk, sync: true)
    try disk.syncDirectory("d")
    try a.write([UInt8](repeating: 2, count: 600), at: 512)
    var sizes: Set<Int> = []
    var holes = false
    for seed in 0..<200 as Range<UInt64> {
      let copy = disk.clone()
      copy.crash(seed: seed)
      let bytes = try copy.contents(of: "d/a", limit: 2_000)
      sizes.insert(bytes.count)
      if bytes.count == 1112, bytes[600] == 0 { holes = true }
    }
    #expect(sizes == [1, 1112])
    #expect(holes)
  }

  @Test("A directory's unsynced changes survive as a prefix, in order")
  func names() throws {
    for name in ["a", "b", "c"] { _ = try file("d/" + name, [1], on: disk, sync: true) }
    try disk.rename("d/a", to: "d/z")
    try disk.remove("d/b")
    var seen: Set<[String]> = []
    for seed in 0..<200 as Range<UInt64> {
      let copy = disk.clone()
      copy.crash(seed: seed)
      seen.insert(try copy.list("d"))
    }
    #expect(seen == [[], ["a"], ["a", "b"], ["a", "b", "c"], ["b", "c", "z"], ["c", "z"]])
  }

  @Test("A renaming to another directory never loses the file")
  func moved() throws {
    try disk.createDirectory("e")
    try disk.syncDirectory("/")
    _ = try file("d/a", [1], on: disk, sync: true)
    try disk.syncDirectory("d")
    try disk.rename("d/a", to: "e/a")
    var seen: Set<[Bool]> = []
    for seed in 0..<100 as Range<UInt64> {
      let copy = disk.clone()
      copy.crash(seed: seed)
      seen.insert([copy.exists("d/a"), copy.exists("e/a")])
    }
    #expect(!seen.contains([false, false]))
    #expect(seen.contains([true, false]) && seen.contains([false, true]))
    let copy = disk.clone()
    try copy.syncDirectory("d")
    copy.crash(seed: 1)
    #expect(try copy.contents(of: "e/a", limit: 1) == [1])
  }

  @Test("After a failed sync the data reads well until the crash and is gone after it, later syncs notwithstanding")
  func failedSync() throws {
    let a = try file("d/a", [UInt8](repeating: 1, count: 8192), on: disk, sync: true)
    try disk.syncDirectory("d")
    try a.write([2], at: 0)
    disk.inject(DiskFault { $0.kind == .sync && $0.path == "d/a" })
    #expect(throws: DiskError(operation: "sync", path: "d/a", code: 5)) { try a.sync() }
    #expect(try a.read(at: 0, count: 1) == [2])
    try a.write([3], at: 5000)
    try a.sync()
    #expect(try a.read(at: 0, count: 1) == [2])
    disk.crash(seed: 1)
    let bytes = try disk.contents(of: "d/a", limit: 8192)
    #expect(bytes[0] == 1)
    #expect(bytes[5000] == 3)
  }

  @Test("A bytes cut off and a file grown again read as zeros after a sync and a crash")
  func cutAndGrown() throws {
    let a = try file("d/a", [UInt8](repeating: 1, count: 20_000), on: disk, sync: true)
    try disk.syncDirectory("d")
    try a.truncate(to: 100)
    try a.write([5], at: 19_999)
    try a.sync()
    disk.crash(seed: 3)
    let expected = [UInt8](repeating: 1, count: 100) + [UInt8](repeating: 0, count: 19_899) + [5]
    #expect(try disk.contents(of: "d/a", limit: 20_000) == expected)
  }

  @Test("A full disk takes what fits, says ENOSPC, and has room again once something is removed")
  func full() throws {
    disk.setCapacity(3 * 4096)
    _ = try file("d/a", [UInt8](repeating: 1, count: 8192), on: disk, sync: true)
    let b = try disk.open("d/b", .create)
    #expect(try disk.freeBytes("d") == 4096)
    #expect(throws: DiskError(operation: "write", path: "d/b", code: 28)) {
      try b.write([UInt8](repeating: 2, count: 5000), at: 0)
    }
    #expect(try b.size() == 4096)
    try b.write([3], at: 7)
    try disk.remove("d/a")
    try b.write([UInt8](repeating: 2, count: 5000), at: 0)
    #expect(try disk.freeBytes("d") == 4096)
  }

  @Test("Faults hit the calls that their conditions name, as often as they say")
  func faults() throws {
    let a = try file("d/a", [1], on: disk, sync: true)
    disk.inject(DiskFault(times: 2) { $0.kind == .read && $0.offset < 10 })
    for _ in 0..<2 {
      #expect(throws: DiskError(operation: "read", path: "d/a", code: 5)) { try a.read(at: 0, count: 1) }
    }
    #expect(try a.read(at: 0, count: 1) == [1])
    disk.inject(DiskFault(code: DiskFault.noSpace, atStep: disk.steps + 2))
    try a.write([2], at: 0)
    #expect(throws: DiskError(operation: "write", path: "d/a", code: 28)) { try a.write([3], at: 0) }
    #expect(try a.read(at: 0, count: 1) == [2])
    disk.inject(DiskFault(times: nil) { $0.kind == .rename })
    for _ in 0..<3 { #expect(throws: DiskError.self) { try disk.rename("d/a", to: "d/b") } }
    disk.clearFaults()
    try disk.rename("d/a", to: "d/b")
  }

  @Test("When the power goes, the call under way may or may not have happened, and nothing works until the crash")
  func powerOff() throws {
    let a = try file("d/a", [1], on: disk, sync: true)
    try disk.syncDirectory("d")
    disk.powerOff(afterSteps: 1)
    try a.write([2], at: 0)
    #expect(throws: DiskError(operation: "sync", path: "d/a", code: 5)) { try a.sync() }
    #expect(throws: DiskError(operation: "read", path: "d/a", code: 5)) { try a.read(at: 0, count: 1) }
    var seen: Set<[UInt8]> = []
    for seed in 0..<50 as Range<UInt64> {
      let copy = disk.clone()
      copy.crash(seed: seed)
      seen.insert(try copy.contents(of: "d/a", limit: 1))
    }
    #expect(seen == [[1], [2]])
  }

  @Test("A flipped bit is there at once and after a crash")
  func flip() throws {
    _ = try file("d/a", [1, 2, 3], on: disk, sync: true)
    try disk.syncDirectory("d")
    disk.flip("d/a", at: 1, mask: 0x81)
    #expect(try disk.contents(of: "d/a", limit: 3) == [1, 0x83, 3])
    disk.crash(seed: 0)
    #expect(try disk.contents(of: "d/a", limit: 3) == [1, 0x83, 3])
  }

  @Test("The same seed gives the same disk")
  func deterministic() throws {
    for name in ["a", "b"] {
      let file = try disk.open("d/" + name, .create)
      for at in 0..<20 { try file.write([UInt8(at)], at: UInt64(at * 300)) }
    }
    for seed in 0..<20 as Range<UInt64> {
      let (one, two) = (disk.clone(), disk.clone())
      one.crash(seed: seed)
      two.crash(seed: seed)
      #expect(try one.list("d") == two.list("d"))
      for name in try one.list("d") {
        #expect(try one.contents(of: "d/" + name, limit: 9999) == two.contents(of: "d/" + name, limit: 9999))
      }
    }
  }
}

@Suite("The simulated clock")
struct SimulatedClockTests {
  @Test("It stands still until it is moved")
  func moves() {
    let clock = SimulatedClock(now: Moment(rawValue: 5), wallMilliseconds: 1_000)
    clock.advance(milliseconds: 3)
    #expect(clock.now.rawValue == 3_000_005)
    #expect(clock.wallMilliseconds == 1_003)
    clock.wallMilliseconds = 10
    #expect(clock.wallMilliseconds == 10)
  }
}
