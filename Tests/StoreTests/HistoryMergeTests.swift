import Bytes
import Environment
import Simulation
import Testing

@testable import Store
@testable import Table

@Suite struct HistoryMergeTests {
  private let disk = SimulatedDisk()

  private func options() -> StoreOptions {
    var options = StoreOptions.tiny(2)
    options.historyBufferBytes = 1 << 20
    options.historyRunBytes = 500
    options.historyFanIn = 4
    options.settledRunBytes = 800
    options.targetFileBytes = 20_000
    options.levelBaseBytes = 1 << 20
    return options
  }

  /// Writes versions of twenty keys, one version of all keys after the other, with a flush after every fifth.
  private func write(_ store: PartitionStore, _ versions: ClosedRange<UInt64>) throws -> Model {
    var model = Model()
    for version in versions {
      for key in 10..<30 {
        let value = [UInt8](repeating: UInt8(truncatingIfNeeded: version), count: 30 + key % 7)
        let record = Record(key: Key("key/\(key)"), version: Version(rawValue: version), value: value)
        model.apply(record)
        store.apply(record)
      }
      if version % 5 == 0 { try store.settle(model.state) }
    }
    return model
  }

  @Test("merged history settles, is read at every version, and few records are read that were not alive")
  func settles() throws {
    let store = try createStore(disk, options())
    let model = try write(store, 1...200)
    #expect(store.historyLevels[StoreOptions.settledLevel].files > 1)
    #expect(store.historyLevels.dropLast().allSatisfy { $0.files < 2 * options().historyFanIn })
    for version in stride(from: 0, through: 201, by: 7) as StrideThrough<UInt64> {
      let at = Version(rawValue: version)
      #expect(try store.records(at: at) == model.live(from: nil, to: nil, at: at, reverse: false), "\(version)")
      let back = try store.records(at: at, reverse: true)
      #expect(back == model.live(from: nil, to: nil, at: at, reverse: true), "\(version)")
    }
    for version in 5..<150 as Range<UInt64> {
      var records: UInt64 = 0
      try store.files.lives.visit(at: Version(rawValue: version)) { run in
        records += run.run.properties.records
        return false
      }
      #expect(records <= 3 * 20, "\(records) records opened at \(version) for 20 that are alive")
    }
  }

  @Test("half of history expires by whole files: nothing of what stays is written again")
  func expires() throws {
    let store = try createStore(disk, options())
    let model = try write(store, 1...200)
    let before = Set(store.files.all.map(\.entry.number))
    let records = store.files.allHistory.reduce(0) { $0 + $1.entry.records }
    store.retain(Retention(floor: Version(rawValue: 100), pins: [Version(rawValue: 31)]))
    while let job = store.nextCompaction() { try store.install(job.run()) }
    #expect(Set(store.files.all.map(\.entry.number)).isSubset(of: before))
    let left = store.files.allHistory.reduce(0) { $0 + $1.entry.records }
    #expect(left < records * 3 / 4, "\(left) of \(records)")
    for version in [31, 100, 101, 150, 200] as [UInt64] {
      let at = Version(rawValue: version)
      #expect(try store.records(at: at) == model.live(from: nil, to: nil, at: at, reverse: false), "\(version)")
    }
    store.retain(Retention(floor: Version(rawValue: 100)))
    while let job = store.nextCompaction() { try store.install(job.run()) }
    let gone = store.files.allHistory.reduce(0) { $0 + $1.entry.records }
    #expect(gone < left, "the file that the pin held goes with it")
    // And again after a restart.
    #expect(try openStore(disk, options()).retention.floor == Version(rawValue: 100))
  }

  @Test("the interval tree finds exactly the runs that were alive", arguments: 0..<20 as Range<UInt64>)
  func lifeIndex(seed: UInt64) throws {
    var random = SplitMix64(seed: seed)
    let writer = try TableWriter(disk: disk, path: "/t.sst", options: TableOptions(), tier: .history)
    var lives: [Range<UInt64>] = []
    for _ in 0..<UInt64.random(in: 0...40, using: &random) {
      let from = UInt64.random(in: 0...100, using: &random)
      let to = from + UInt64.random(in: 1...(seed % 2 == 0 ? 5 : 60), using: &random)
      lives.append(from..<to)
      try Record(key: Key("k"), version: Version(rawValue: from), value: []).withView { view in
        try writer.add(
          RecordView(key: view.key, value: view.value, version: view.version, kind: .value, span: to - from))
      }
      try writer.endRun()
    }
    let (properties, bytes) = try writer.finish()
    let reader = try TableReader(disk: disk, path: "/t.sst", cache: cache)
    let entry = TableEntry(
      number: 1, tier: .history, level: 0, fileBytes: bytes, records: properties.records, hash: [])
    let index = LifeIndex(TableFile(entry, reader: reader, trash: Trash()).runs)
    for version in 0...170 as ClosedRange<UInt64> {
      var found: [Range<UInt64>] = []
      try index.visit(at: Version(rawValue: version)) { run in
        found.append(run.run.properties.minVersion.rawValue..<run.run.properties.maxEdge.rawValue)
        return false
      }
      let expected = lives.filter { $0.contains(version) }
      #expect(
        found.sorted { ($0.lowerBound, $0.upperBound) < ($1.lowerBound, $1.upperBound) }
          == expected.sorted { ($0.lowerBound, $0.upperBound) < ($1.lowerBound, $1.upperBound) }, "at \(version)")
      #expect(index.isOver(at: Version(rawValue: version)) == lives.allSatisfy { $0.upperBound <= version })
    }
  }

  @Test("retention holds an interval if and only if a version in it may be read")
  func retention() {
    var random = SplitMix64(seed: 6)
    for _ in 0..<200 {
      let floor = UInt64.random(in: 0...30, using: &random)
      let pins = (0..<random.next() % 4).map { _ in UInt64.random(in: 0...30, using: &random) }
      let retention = Retention(
        floor: Version(rawValue: floor), pins: pins.map { Version(rawValue: $0) })
      for version in 0...32 as ClosedRange<UInt64> {
        #expect(retention.holds(Version(rawValue: version)) == (version >= floor || pins.contains(version)))
      }
      for from in 0...30 as ClosedRange<UInt64> {
        let to = from + UInt64.random(in: 1...5, using: &random)
        let expected = (from..<to).contains { $0 >= floor || pins.contains($0) }
        #expect(retention.holds(from: Version(rawValue: from), to: Version(rawValue: to)) == expected)
      }
    }
  }
}
