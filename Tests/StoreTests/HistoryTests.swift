import Bytes
import Environment
import Simulation
import Table
import Testing

@testable import Store

/// The traps of DESIGN §6, each by its name.
@Suite struct HistoryTests {
  private let disk = SimulatedDisk()
  private let key = Key("k")

  private func version(_ number: UInt64) -> Version { Version(rawValue: number) }

  private func value(_ text: String, _ number: UInt64, key: String = "k") -> Record {
    Record(key: Key(key), version: version(number), value: Array(text.utf8))
  }

  private func options(level0Files: Int = 100) -> StoreOptions {
    var options = StoreOptions.tiny(2)
    options.level0Files = level0Files
    return options
  }

  /// Applies records and flushes them as a table of their own.
  private func flush(_ store: PartitionStore, _ records: Record...) throws {
    for record in records { store.apply(record) }
    let last = records.map(\.version).max() ?? .zero
    let job = store.freeze(state: StoreState(appliedIndex: LogIndex(rawValue: last.rawValue), lastVersion: last))
    try store.install(try #require(job).run())
  }

  /// Folds some of the tables of level 0, which must be contiguous in age, into one level.
  private func fold(_ store: PartitionStore, _ inputs: [Int]? = nil, into level: Int) throws {
    let all = store.files.levels.flatMap { $0 }.sorted { $0.entry.number < $1.entry.number }
    let chosen = inputs.map { $0.map { all[$0] } } ?? all
    let plan = CompactionPlan(inputs: chosen.reversed(), kind: .current(level: level))
    let job = CompactionJob(
      context: store.context, files: store.files, plan: plan,
      retention: RetentionStep(retention: store.retention, number: 0), keyFilter: nil, filterNumber: 0)
    store.replaceFiles(try job.run().outcome.get(), removing: plan.inputs)
  }

  private func get(_ store: PartitionStore, at number: UInt64, key: String = "k") throws -> String? {
    let found = try store.get(Key(key), at: version(number))?.ifValue
    let listed = try store.records(at: version(number)).first { $0.key == Key(key) }
    #expect(found == listed, "get and range at \(number)")
    #expect(try store.records(at: version(number), reverse: true).first { $0.key == Key(key) } == listed)
    return found.map { String(decoding: $0.value, as: UTF8.self) }
  }

  @Test("x@5, z@6, y@9 folded in every order, z a value or a tombstone", arguments: [true, false], 0..<4)
  func everyOrder(isValue: Bool, order: Int) throws {
    let store = try createStore(disk, options())
    try flush(store, value("x", 5))
    try flush(store, isValue ? value("z", 6) : .tombstone(key, version(6)))
    try flush(store, value("y", 9))
    switch order {
    case 0:
      try fold(store, [0, 1], into: 1)
      try fold(store, into: 1)
    case 1:
      try fold(store, [1, 2], into: 0)
      try fold(store, into: 1)
    case 2: try fold(store, into: 3)
    default: break
    }
    for store in [store, try openStore(disk, options())] {
      let expected = (4...10).map { at -> String? in
        at < 5 ? nil : at < 6 ? "x" : at < 9 ? (isValue ? "z" : nil) : "y"
      }
      #expect(try (4...10).map { try get(store, at: $0) } == expected, "order \(order)")
      let history = try store.history(key)
      #expect(history.map(\.version.rawValue) == [9, 6, 5] && (history[1].kind == .value) == isValue)
    }
  }

  @Test("what is replaced within one flush goes straight to history")
  func withinOneFlush() throws {
    let store = try createStore(disk, options())
    try flush(store, value("x", 5), .tombstone(key, version(6)), value("y", 9), value("z", 12))
    #expect(store.files.levels[0][0].entry.records == 1)
    #expect(store.historyLevels[0].files == 1 && store.files.allHistory[0].entry.records == 2)
    #expect(try (4...13).map { try get(store, at: $0) } == [nil, "x", nil, nil, nil, "y", "y", "y", "z", "z"])
  }

  @Test("a tombstone hides older records below until they are gone, and then goes itself; the past stays")
  func resurrected() throws {
    let store = try createStore(disk, options())
    try flush(store, value("x", 5), value("other", 5, key: "a"))
    try fold(store, [0], into: 3)
    try flush(store, .tombstone(key, version(6)), value("other", 6, key: "a"))
    try fold(store, [1], into: 1)
    #expect(store.files.levels[1][0].reader.properties.tombstones == 1)
    #expect(try get(store, at: 7) == nil && get(store, at: 5) == "x")
    disk.crash(seed: 1)
    let again = try openStore(disk, options())
    #expect(try get(again, at: 7) == nil && get(again, at: 5) == "x")
    try fold(again, into: 3)
    #expect(again.files.levels[3][0].reader.properties.tombstones == 0)
    #expect(again.files.levels[3][0].entry.records == 1)
    #expect(try get(again, at: 7) == nil && get(again, at: 5) == "x")
    #expect(try again.history(key).map(\.kind) == [.tombstone, .value])
    // A later value must not believe that it came right after the old one.
    try flush(again, value("y", 9))
    #expect(try (4...9).map { try get(again, at: $0) } == [nil, "x", nil, nil, nil, "y"])
    #expect(try again.history(key).map(\.version.rawValue) == [9, 6, 5])
  }

  @Test("a tombstone of a key that no table has leaves nothing behind")
  func tombstoneOfNothing() throws {
    let store = try createStore(disk, options())
    try flush(store, .tombstone(key, version(6)), value("a", 6, key: "a"))
    #expect(store.files.levels[0][0].entry.records == 1)
    #expect(try get(store, at: 8) == nil)
  }

  @Test("a pin inside an interval keeps its record, and no other")
  func pinInside() throws {
    let store = try createStore(disk, options())
    try flush(store, value("v", 1), value("w", 3), value("x", 5), value("y", 9))
    store.retain(Retention(floor: version(20), pins: [version(4), version(9)]))
    try store.compactFully()
    #expect(store.files.allHistory.count == 1, "a pin holds the file")
    #expect(try get(store, at: 4) == "w" && get(store, at: 9) == "y")
    for number in [0, 1, 3, 5, 8, 10, 19] as [UInt64] {
      #expect(throws: StoreError.notRetained(version: version(number), floor: version(20))) {
        try store.get(key, at: version(number))
      }
      #expect(throws: StoreError.self) { try store.cursor(at: version(number)) }
    }
    let other = try createStore(disk, options(), at: "/other")
    other.retain(Retention(floor: version(20), pins: [version(4), version(9)]))
    try flush(other, value("v", 1), value("w", 3), value("x", 5), value("y", 9))
    #expect(other.files.allHistory.map(\.entry.records) == [1])
    #expect(try get(other, at: 4) == "w")
  }

  @Test("a version exactly at the floor is read, and one below is refused; records go that end at the floor")
  func atTheFloor() throws {
    let store = try createStore(disk, options())
    store.retain(Retention(floor: version(5)))
    try flush(store, value("w", 3), value("x", 5), value("y", 9), value("z", 12))
    #expect(store.files.allHistory.map(\.entry.records) == [2])
    #expect(try get(store, at: 5) == "x" && get(store, at: 8) == "x")
    #expect(throws: StoreError.notRetained(version: version(4), floor: version(5))) {
      try store.get(key, at: version(4))
    }
    // And a record that begins before the floor and reaches over it stays.
    store.retain(Retention(floor: version(8)))
    try store.compactFully()
    #expect(try get(store, at: 8) == "x")
  }

  @Test("the floor moves while a cursor walks: it goes on with what it has, and a new one is refused")
  func movingFloor() throws {
    let store = try createStore(disk, options())
    for number in 1...40 as ClosedRange<UInt64> { store.apply(value("v\(number)", number, key: "k\(number % 4)")) }
    try flush(store, value("last", 50))
    let cursor = try store.cursor(at: version(20))
    #expect(try cursor.next()?.value == Array("v20".utf8))
    store.retain(Retention(floor: version(30)))
    #expect(throws: StoreError.self) { try store.cursor(at: version(20)) }
    let job = try #require(store.nextCompaction() ?? store.fullCompaction())
    let result = job.run()
    #expect(try cursor.next()?.value == Array("v17".utf8))
    #expect(try cursor.next()?.value == Array("v18".utf8))
    #expect(try cursor.next()?.value == Array("v19".utf8))
    #expect(try cursor.next() == nil)
    try store.install(result)
  }

  @Test("a floor that was used to drop something is known after a crash, and a lower one is not taken")
  func floorSurvives() throws {
    let store = try createStore(disk, options())
    try flush(store, value("w", 3), value("x", 5), value("y", 9))
    store.retain(Retention(floor: version(9)))
    try store.compactFully()
    #expect(store.files.allHistory.isEmpty)
    disk.crash(seed: 3)
    let again = try openStore(disk, options())
    #expect(again.retention.floor == version(9))
    again.retain(.everything)
    #expect(again.retention.floor == version(9))
    #expect(throws: StoreError.self) { try again.get(key, at: version(4)) }
  }

  @Test("a job that began under an older retention doesn't bring back what a younger one let go")
  func retentionOrder() throws {
    let store = try createStore(disk, options(level0Files: 2))
    try flush(store, value("a", 1))
    try flush(store, value("b", 2))
    let compaction = try #require(store.nextCompaction())
    store.retain(Retention(floor: version(7)))
    for record in [value("c", 3), value("d", 4), value("e", 7)] { store.apply(record) }
    let flush = try #require(store.freeze(state: StoreState(appliedIndex: LogIndex(rawValue: 7))))
    try store.install(flush.run())
    try store.install(compaction.run())
    #expect(try openStore(disk, options()).retention.floor == version(7))
  }

  @Test("the newest version ever applied is known after its last record is gone")
  func highWaterMark() throws {
    let store = try createStore(disk, options())
    try flush(store, value("x", 5))
    try flush(store, .tombstone(key, version(6)))
    store.retain(Retention(floor: version(7)))
    try store.install(try #require(store.fullCompaction()).run())
    try store.compactFully()
    #expect(store.files.all.isEmpty)
    disk.crash(seed: 5)
    #expect(try openStore(disk, options()).flushedState.lastVersion == version(6))
  }

  @Test("a row that lived long has a run of its own, and makes no other reach far back")
  func longLives() throws {
    let store = try createStore(disk, options())
    store.apply(value("old", 1, key: "long"))
    for number in 1000..<1100 as Range<UInt64> { store.apply(value("v\(number)", number, key: "k\(number % 5)")) }
    try flush(store, value("new", 1100, key: "long"))
    let runs = store.files.allHistory.flatMap(\.runs)
    let reaching = runs.filter { $0.isAlive(at: version(500)) }
    #expect(reaching.count == 1 && reaching[0].run.properties.records == 1)
    for at in 1010..<1090 as Range<UInt64> {
      let alive = runs.filter { $0.isAlive(at: version(at)) }
      let records = alive.reduce(0) { $0 + $1.run.properties.records }
      #expect(records <= 6 * 4, "at \(at): \(records) records for 6 that are alive")
    }
    #expect(try get(store, at: 500, key: "long") == "old")
  }
}

extension PartitionStore {
  /// Takes over the result of a job that was not asked for.
  func replaceFiles(_ added: [TableFile], removing removed: [TableFile]) {
    files = files.replacing(removed, with: added)
  }
}
