import Bytes
import Environment
import Glibc
import Simulation
import Table
import Testing

@testable import Store

@Suite struct StoreModelTests {
  /// How many histories are tried; `KV_MODEL_SEEDS` for a longer run.
  private static let seeds = getenv("KV_MODEL_SEEDS").flatMap { UInt64(String(cString: $0)) } ?? 24

  @Test(
    "a store answers as a sorted map of versions does, whatever was flushed, compacted or opened anew",
    arguments: 0..<seeds)
  func model(seed: UInt64) throws {
    var run = try ModelRun(seed: seed)
    for step in 0..<700 {
      do {
        try run.step()
      } catch {
        Issue.record("seed \(seed) step \(step): \(error)")
        return
      }
      if run.hasFailed { Issue.record("seed \(seed) step \(step)") }
      if run.hasFailed { return }
    }
    try run.finish()
    #expect(!run.hasFailed, "seed \(seed) at the end")
  }
}

/// One random history of a store and its model.
private struct ModelRun {
  private var random: SplitMix64
  private let disk = SimulatedDisk()
  private let options: StoreOptions
  private let keys: Int
  private var store: PartitionStore
  private var model = Model()
  private var flush: FlushJob?
  private var compaction: CompactionJob?
  /// Its result, if slices have brought it to its end.
  private var compacted: CompactionResult?
  private var export: (cursor: ExportCursor, expected: [Record])?
  private(set) var hasFailed = false

  init(seed: UInt64) throws {
    random = SplitMix64(seed: seed)
    options = StoreOptions.tiny(seed)
    keys = [5, 40, 300][Int(seed % 3)]
    store = try createStore(disk, options)
  }

  private var someKey: Key { mutating get { Key("key/\(Int.random(in: 0..<keys, using: &random))") } }

  private var someVersion: Version {
    mutating get {
      if random.next() % 3 == 0 { return .max }
      return Version(rawValue: UInt64.random(in: 0...(model.log.last?.version.rawValue ?? 0) + 1, using: &random))
    }
  }

  private mutating func check(_ condition: Bool, _ what: String) {
    guard !condition else { return }
    Issue.record("\(what) disagrees")
    hasFailed = true
  }

  mutating func step() throws {
    switch random.next() % 100 {
    case 0..<55: put()
    case 55..<70:
      let (key, version) = (someKey, someVersion)
      try retained(version) { run in
        run.check(try run.store.get(key, at: version)?.ifValue == run.model.get(key, at: version)?.ifValue, "get")
      }
    case 70..<74:
      let key = someKey
      check(lives(try store.history(key), retention) == lives(model.history(key), retention), "history")
    case 74..<81: try range()
    case 81: retain()
    case 82..<88: startFlush()
    case 88..<93: startCompaction()
    case 93..<97: try finishJobs()
    case 97: export = exporting()
    case 98: try finishExport()
    default: try reopen()
    }
  }

  private mutating func put() {
    let record = randomRecord(after: model.log.last?.version ?? .zero, keys: keys, &random)
    model.apply(record)
    if random.next() % 2 == 0 { return store.apply(record) }
    let payload = [9, 9] + record.key.bytes + [9] + record.value
    let valueStart = 3 + record.key.bytes.count
    store.apply(
      payload: payload, keyRange: 2..<valueStart - 1, valueRange: valueStart..<payload.count,
      version: record.version, kind: record.kind)
  }

  private mutating func range() throws {
    var bounds = [random.next() % 3 == 0 ? nil : someKey, random.next() % 3 == 0 ? nil : someKey]
    if let left = bounds[0], let right = bounds[1], right < left { bounds.swapAt(0, 1) }
    let version = someVersion
    let reverse = random.next() % 2 == 0
    try retained(version) { run in
      run.check(
        try run.store.records(from: bounds[0], to: bounds[1], at: version, reverse: reverse)
          == run.model.live(from: bounds[0], to: bounds[1], at: version, reverse: reverse), "range")
    }
  }

  /// Reads at a version, which must be refused where it isn't retained.
  private mutating func retained(_ version: Version, _ read: (inout ModelRun) throws -> Void) throws {
    do {
      try read(&self)
      check(retention.holds(version), "a read below the floor")
    } catch StoreError.notRetained(version, retention.floor) {
      check(!retention.holds(version), "a refusal")
    }
  }

  private var retention: Retention { store.retention }

  /// Raises the floor, lets go of some pins, and adds some that the floor doesn't exclude.
  private mutating func retain() {
    let last = model.log.last?.version.rawValue ?? 0
    let floor = retention.floor.rawValue
    var pins = retention.pins.filter { _ in random.next() % 4 != 0 }
    for _ in 0..<random.next() % 3 where floor <= last {
      pins.append(Version(rawValue: UInt64.random(in: floor...last, using: &random)))
    }
    let raised = floor + (random.next() % 2 == 0 ? 0 : UInt64.random(in: 0...60, using: &random))
    store.retain(Retention(floor: Version(rawValue: min(raised, last)), pins: pins))
  }

  private mutating func startFlush() {
    if let job = store.freeze(state: model.state) { flush = job }
  }

  /// Starts a compaction, or goes on with the one under way.
  private mutating func startCompaction() {
    if let compaction {
      compacted = compacted ?? compaction.step(bytes: Int.random(in: 1...2000, using: &random))
      return
    }
    compaction = random.next() % 10 == 0 ? store.fullCompaction() : store.nextCompaction()
  }

  private mutating func finishJobs() throws {
    let flushed = flush.map { $0.run() }
    let finished = self.compacted ?? compaction.map { $0.run() }
    if let finished, random.next() % 2 == 0 {
      try store.install(finished)
      if let flushed { try store.install(flushed) }
    } else {
      if let flushed { try store.install(flushed) }
      if let finished { try store.install(finished) }
    }
    (flush, compaction, compacted) = (nil, nil, nil)
  }

  private func exporting() -> (cursor: ExportCursor, expected: [Record]) {
    let cursor = store.exportCursor()
    return (cursor, Model(model.log.prefix(Int(cursor.state.appliedIndex.rawValue))).all)
  }

  /// Reads what was to be exported when the cursor was made, long after.
  private mutating func finishExport() throws {
    guard let (cursor, expected) = export else { return }
    var records: [Record] = []
    while let record = try cursor.next() { records.append(record) }
    check(lives(records, retention) == lives(expected, retention), "export")
    if !records.isEmpty {
      let middle = Int.random(in: records.indices, using: &random)
      try cursor.seek(records[middle].key, records[middle].version)
      var rest: [Record] = []
      while let record = try cursor.next() { rest.append(record) }
      check(rest == Array(records[middle...]), "export after a seek")
    }
    export = nil
  }

  /// Drops the store, with a crash or without, and applies again what had not been flushed.
  private mutating func reopen() throws {
    try finishExport()
    (flush, compaction, compacted) = (nil, nil, nil)
    if random.next() % 2 == 0 { disk.crash(seed: random.next()) }
    store = try openStore(disk, options)
    let flushed = Int(store.flushedState.appliedIndex.rawValue)
    let log = model.log
    model = Model(log.prefix(flushed))
    check(store.flushedState == model.state, "the state after opening")
    try checkAll("the records after opening")
    for record in log.dropFirst(flushed) {
      model.apply(record)
      store.apply(record)
    }
  }

  private mutating func checkAll(_ what: String) throws {
    check(lives(try store.exported(), retention) == lives(model.all, retention), what)
  }

  /// Takes the store over as a snapshot, as another replica does, and reads the copy.
  private mutating func copy() throws {
    let export = store.exportCursor()
    let writer = try SnapshotWriter(disk: disk, directory: "/copy", options: options)
    while let record = try export.next() { try writer.add(record) }
    try writer.finish(state: export.state, retention: retention)
    let copy = try PartitionStore.open(disk: disk, directory: "/copy", options: options, cache: cache)
    check(lives(try copy.exported(), retention) == lives(model.all, retention), "the export of the copy")
    for _ in 0..<20 {
      let version = someVersion
      guard retention.holds(version) else { continue }
      check(
        try copy.records(at: version) == model.live(from: nil, to: nil, at: version, reverse: false), "the copy")
    }
    try copy.compactFully()
    check(lives(try copy.exported(), retention) == lives(model.all, retention), "the copy, compacted")
  }

  mutating func finish() throws {
    try finishJobs()
    try store.settle(model.state)
    try checkAll("the export at the end")
    check(store.flushedState == model.state, "the state at the end")
    if let job = store.fullCompaction() { try store.install(job.run()) }
    try checkAll("the export after a full compaction")
    try store.compactFully()
    try checkAll("the export after all compactions")
    check(store.levels.filter { $0.files > 0 }.count <= 1, "the number of levels after a full compaction")
    try copy()
    try store.destroy()
    check(!disk.exists(directory), "the directory after its end")
  }
}
