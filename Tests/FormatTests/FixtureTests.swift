import Bytes
import Environment
import Log
import Simulation
import Snapshot
import Store
import Table
import Testing

@Suite struct FixtureTests {
  private static let makers: [(name: String, make: @Sendable (SimulatedDisk) throws -> Void)] = [
    (Fixture.storeDirectory, { try Fixture.makeStore($0) }), (Fixture.logDirectory, { try Fixture.makeLog($0) }),
    (Fixture.snapshotDirectory, { try Fixture.makeSnapshots($0) }),
  ]

  @Test("what this kv writes is, byte by byte, what format version 1 is", arguments: 0..<3)
  func writing(maker: Int) throws {
    let (name, make) = Self.makers[maker]
    let kept = try Fixture.copy(name)
    let made = SimulatedDisk()
    try make(made)
    #expect(try made.list(name) == kept.list(name))
    for file in try kept.list(name) {
      let path = name + "/" + file
      #expect(try made.contents(of: path, limit: 1 << 20) == kept.contents(of: path, limit: 1 << 20), "\(path)")
    }
  }

  @Test(
    "every byte of the fixtures means what the golden dump says",
    arguments: Set(makers.map(\.name) + Fixture.logDirectories).sorted())
  func golden(name: String) throws {
    let golden = try PosixDisk().contents(of: Fixture.root + name + ".txt", limit: 1 << 20)
    #expect(try Fixture.dump(try Fixture.copy(name), name) == String(decoding: golden, as: UTF8.self))
  }

  @Test("a store of format version 1 is opened, read now and in the past, and goes on")
  func store() throws {
    let disk = try Fixture.copy(Fixture.storeDirectory)
    let store = try PartitionStore.open(
      disk: disk, directory: Fixture.storeDirectory, options: Fixture.options, cache: BlockCache(byteBudget: 1 << 20))
    #expect(store.flushedState == Fixture.state(3, Version(rawValue: 21)))
    #expect(store.retention == Fixture.retention)
    let writes = Fixture.flushes.flatMap { $0 }
    for version in [2, 4] + Array(6...25 as ClosedRange<UInt64>) {
      for key in ["", "apple", "pear", "plum", "quince"] {
        let at = Version(rawValue: version)
        let expected = writes.last { $0.key == Key(key) && $0.version <= at }.flatMap { $0.kind == .value ? $0 : nil }
        let found = try store.get(Key(key), at: at).flatMap { $0.kind == .value ? $0 : nil }
        #expect(found == expected, "\(key) at \(version)")
      }
    }
    store.apply(Fixture.value("pear", 30, "soft"))
    let job = try #require(store.freeze(state: Fixture.state(4, Version(rawValue: 30))))
    try store.install(job.run())
    while let job = store.nextCompaction() { try store.install(job.run()) }
    #expect(try store.get(Key("pear"), at: .max)?.value == Array("soft".utf8))
    #expect(try store.get(Key("pear"), at: Version(rawValue: 29))?.kind != .value)
  }

  @Test("snapshots' files of format version 1 are sound, and read now and in the past")
  func snapshots() throws {
    let disk = try Fixture.copy(Fixture.snapshotDirectory)
    for name in try disk.list(Fixture.snapshotDirectory) {
      let path = "\(Fixture.snapshotDirectory)/\(name)"
      #expect(try SnapshotCheck.content(disk: disk, path: path).statement.cluster == "kv-0123456789ab")
    }
    let file = try SnapshotFile(disk: disk, path: Fixture.snapshotDirectory + "/history.kvs")
    for version in 2...9 as ClosedRange<UInt64> {
      for key in ["apple", "pear", "plum"] {
        let at = Version(rawValue: version)
        let writes = Fixture.flushes.flatMap(\.self)
        let expected = writes.last { $0.key == Key(key) && $0.version <= at }.flatMap { $0.kind == .value ? $0 : nil }
        #expect(try file.get(Key(key), at: at) == expected, "\(key) at \(version)")
      }
    }
  }

  @Test("a log of format version 1 is recovered", arguments: Fixture.logDirectories)
  func log(directory: String) throws {
    let disk = try Fixture.copy(directory)
    let (log, recovered) = try SharedLog.open(
      disk: disk, directory: directory, options: LogOptions(segmentBytes: .kibibytes(4), spareSegments: 1))
    #expect(recovered.damage.isEmpty && recovered.groups.map(\.0.rawValue) == [1, 2])
    try log.append([LogWrite(group: GroupID(rawValue: 1), hardState: StoredHardState())], sync: true)
  }
}
