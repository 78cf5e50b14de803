import Bytes
import Environment
import Simulation
import Testing

@testable import Store

@Suite struct CompactionTests {
  private let disk = SimulatedDisk()

  /// Flushes one record for each key, all of the same version.
  private func flush(_ store: PartitionStore, _ keys: [String], version: UInt64, bytes: Int = 10) throws {
    for key in keys {
      store.apply(
        Record(key: Key(key), version: Version(rawValue: version), value: [UInt8](repeating: 1, count: bytes)))
    }
    let state = StoreState(appliedIndex: LogIndex(rawValue: version), lastVersion: Version(rawValue: version))
    let job = try #require(store.freeze(state: state))
    try store.install(job.run())
  }

  private func files(_ store: PartitionStore) -> [Int] { store.levels.map(\.files) }

  private func options(level0Files: Int) -> StoreOptions {
    var options = StoreOptions.tiny(2)
    options.level0Files = level0Files
    return options
  }

  @Test("tables that share no keys move down without being rewritten")
  func moves() throws {
    let store = try createStore(disk, options(level0Files: 2))
    try flush(store, ["a", "b"], version: 1)
    #expect(store.nextCompaction() == nil)
    try flush(store, ["c", "d"], version: 2)
    let names = try disk.list(directory)
    try store.compactFully()
    #expect(files(store)[0...1] == [0, 2])
    #expect(try disk.list(directory) == names)
    #expect(try store.records().count == 4)
    #expect(try openStore(disk).levels.map(\.files)[0...1] == [0, 2])
  }

  @Test("tables that share keys are merged, every version is kept, and the old files go")
  func merges() throws {
    let store = try createStore(disk, options(level0Files: 3))
    for version in 1...3 as ClosedRange<UInt64> { try flush(store, ["a", "b"], version: version) }
    try store.compactFully()
    #expect(files(store)[0...1] == [0, 1] && store.historyLevels[0].files == 1)
    #expect(try store.history(Key("a")).map(\.version.rawValue) == [3, 2, 1])
    #expect(try disk.list(directory).filter { $0.hasSuffix(".sst") }.count == 2)
  }

  @Test("a level that holds too much spills into the next, table by table")
  func spills() throws {
    let store = try createStore(disk, options(level0Files: 1))
    for number in 0..<12 as Range<UInt64> {
      try flush(store, ["a\(number)", "b\(number % 3)", "c\(number)"], version: number + 1, bytes: 200)
      try store.compactFully()
    }
    #expect(files(store)[2...].contains { $0 > 0 })
    for (level, size) in store.levels.enumerated().dropFirst() {
      #expect(size.bytes <= options(level0Files: 1).capacity(ofLevel: level), "level \(level)")
    }
    #expect(try store.exported().count == 36)
  }

  @Test("files that a reader holds stay until it is done, and are removed by the next job")
  func heldFiles() throws {
    let store = try createStore(disk, options(level0Files: 2))
    try flush(store, ["a"], version: 1)
    try flush(store, ["a"], version: 2)
    var export: ExportCursor? = store.exportCursor()
    _ = try export?.next()
    try store.compactFully()
    #expect(store.nextCompaction() == nil)
    #expect(try disk.list(directory).filter { $0.hasSuffix(".sst") }.count == 4)
    #expect(try export?.next()?.version == Version(rawValue: 1))
    export = nil
    try store.compactFully()
    #expect(try disk.list(directory).filter { $0.hasSuffix(".sst") }.count == 2)
  }

  @Test("a flush and a compaction may run at once and end in any order; a second one of either has to wait")
  func twoJobs() throws {
    let store = try createStore(disk, options(level0Files: 1))
    try flush(store, ["a"], version: 1)
    let compaction = try #require(store.nextCompaction())
    store.apply(.tombstone(Key("a"), Version(rawValue: 2)))
    let state = StoreState(appliedIndex: LogIndex(rawValue: 2))
    #expect(store.nextCompaction() == nil && store.fullCompaction() == nil)
    let flush = try #require(store.freeze(state: state))
    #expect(store.freeze(state: state) == nil)
    #expect(try store.get(Key("a"), at: .max)?.kind == .tombstone)
    let compacted = compaction.run()
    try store.install(flush.run())
    #expect(try store.get(Key("a"), at: .max)?.kind == .tombstone)
    try store.install(compacted)
    #expect(files(store)[0...1] == [1, 1])
    #expect(try store.get(Key("a"), at: .max)?.kind == .tombstone)
    #expect(store.freeze(state: state) == nil)
    let again = try openStore(disk)
    #expect(again.levels.map(\.files)[0...1] == [1, 1])
    #expect(try again.get(Key("a"), at: Version(rawValue: 1))?.kind == .value)
  }

  @Test("a state that changed without records is flushed by an edit alone")
  func stateAlone() throws {
    let store = try createStore(disk)
    let state = StoreState(appliedIndex: LogIndex(rawValue: 9), sessions: [1, 2, 3], extra: [4])
    let job = try #require(store.freeze(state: state))
    try store.install(job.run())
    #expect(store.flushedState == state && files(store).allSatisfy { $0 == 0 })
    disk.crash(seed: 1)
    #expect(try openStore(disk).flushedState == state)
  }

  @Test("a record applied again, with the version that it has already, takes the place of the first")
  func appliedAgain() throws {
    let store = try createStore(disk, options(level0Files: 9))
    let key = Key("k")
    let version = Version(rawValue: 5)
    for value in 1...3 as ClosedRange<UInt8> {
      store.apply(Record(key: key, version: version, value: [value]))
      let expected = Record(key: key, version: version, value: [value])
      #expect(try store.get(key, at: .max) == expected)
      #expect(try store.records() == [expected])
      #expect(try store.records(reverse: true) == [expected])
      #expect(try store.history(key) == [expected])
      let job = try #require(store.freeze(state: StoreState(appliedIndex: LogIndex(rawValue: UInt64(value)))))
      try store.install(job.run())
    }
    let job = try #require(store.fullCompaction())
    try store.install(job.run())
    #expect(try store.exported() == [Record(key: key, version: version, value: [3])])
  }
}
