import Bytes
import Environment
import Simulation
import Table
import Testing

@testable import Store

/// What a store must agree with: the records applied, in order, and a search through them.
struct Model {
  private(set) var log: [Record] = []
  private var versions: [Key: [Record]] = [:]

  init() {}

  /// The model after the first records of a log.
  init(_ log: some Sequence<Record>) {
    for record in log { apply(record) }
  }

  mutating func apply(_ record: Record) {
    log.append(record)
    versions[record.key, default: []].insert(record, at: 0)
  }

  /// The state that a store has which applied all of the log.
  var state: StoreState {
    StoreState(
      appliedIndex: LogIndex(rawValue: UInt64(log.count)), appliedTerm: Term(rawValue: 3),
      membership: [1, 2, 3], lastVersion: log.last?.version ?? .zero, sessions: [UInt8](repeating: 5, count: 30))
  }

  func history(_ key: Key) -> [Record] { versions[key] ?? [] }

  func get(_ key: Key, at version: Version) -> Record? { history(key).first { $0.version <= version } }

  func live(from lower: Key?, to upper: Key?, at version: Version, reverse: Bool) -> [Record] {
    let keys = versions.keys.filter { key in lower.map { key >= $0 } ?? true && upper.map { key < $0 } ?? true }
    let records = keys.sorted().compactMap { get($0, at: version) }.filter { $0.kind == .value }
    return reverse ? records.reversed() : records
  }

  /// Every record, in record order.
  var all: [Record] { versions.keys.sorted().flatMap(history) }
}

/// A value and the versions at which it is its key's: what a store must know, however it is stored.
struct Life: Hashable {
  let key: Key
  let value: [UInt8]
  let from: Version
  /// `.max` for one that still lives.
  let to: Version
}

/// What records in order say, as far as it is retained.
func lives(_ records: [Record], _ retention: Retention = .everything) -> [Life] {
  var newer: Record?
  return records.compactMap { record in
    let to = newer.flatMap { $0.key == record.key ? $0.version : nil } ?? .max
    newer = record
    guard record.kind == .value, to == .max || retention.holds(from: record.version, to: to) else { return nil }
    return Life(key: record.key, value: record.value, from: record.version, to: to)
  }
}

extension Record {
  /// The record, or nil where it is a tombstone.
  var ifValue: Record? { kind == .value ? self : nil }
}

extension StoreOptions {
  /// So small that a few hundred records fill all levels.
  static func tiny(_ seed: UInt64 = 0) -> StoreOptions {
    var options = StoreOptions()
    options.memtableBytes = 3000
    options.level0Files = 1 + Int(seed % 3)
    options.levelBaseBytes = 2000
    options.levelRatio = 2
    options.targetFileBytes = 1000
    options.manifestBytes = 2000
    options.historyBufferBytes = [700, 5000, 1 << 20][Int(seed / 2 % 3)]
    options.historyRunBytes = [1, 200, 2000][Int(seed / 4 % 3)]
    options.historyFanIn = 2 + Int(seed % 4)
    options.settledRunBytes = [1, 300, 3000][Int(seed / 5 % 3)]
    options.table = TableOptions(
      blockBytes: [100, 300, 16384][Int(seed % 3)], restartInterval: [1, 4, 16][Int(seed / 3 % 3)],
      bloomBitsPerKey: seed % 4 == 0 ? 0 : 10)
    return options
  }
}

extension PartitionStore {
  /// The number of tables.
  var tableCount: Int { (levels + historyLevels).reduce(0) { $0 + $1.files } }

  /// Runs all compactions that are due, in slices of 500 bytes.
  func compactFully() throws(StoreError) {
    while let job = nextCompaction() {
      while true {
        guard let result = job.step(bytes: 500) else { continue }
        try install(result)
        break
      }
    }
  }

  /// Flushes and compacts, as far as something is due.
  func settle(_ state: StoreState) throws(StoreError) {
    if let job = freeze(state: state) { try install(job.run()) }
    try compactFully()
  }

  func records(
    from lower: Key? = nil, to upper: Key? = nil, at version: Version = .max, reverse: Bool = false
  ) throws(StoreError) -> [Record] {
    let cursor = try cursor(from: lower, to: upper, at: version, reverse: reverse)
    var records: [Record] = []
    while let record = try cursor.next() { records.append(record) }
    return records
  }

  /// All versions that were flushed.
  func exported() throws(StoreError) -> [Record] {
    let cursor = exportCursor()
    var records: [Record] = []
    while let record = try cursor.next() { records.append(record) }
    return records
  }
}

let directory = "/store"
let cache = BlockCache(byteBudget: 1 << 20)

func openStore(_ disk: SimulatedDisk, _ options: StoreOptions = .tiny()) throws(StoreError) -> PartitionStore {
  try PartitionStore.open(disk: disk, directory: directory, options: options, cache: cache)
}

func createStore(
  _ disk: SimulatedDisk, _ options: StoreOptions = .tiny(), at directory: String = directory
) throws(StoreError) -> PartitionStore {
  try PartitionStore.create(
    disk: disk, directory: directory, options: options, cache: cache, state: Model().state)
}

/// A random record with a version above that of the one before.
func randomRecord(after last: Version, keys: Int, _ random: inout SplitMix64) -> Record {
  let key = Key("key/\(Int.random(in: 0..<keys, using: &random))")
  let version = last.advanced(by: UInt64.random(in: 1...3, using: &random))
  if random.next() % 4 == 0 { return .tombstone(key, version) }
  let length = random.next() % 50 == 0 ? 700 : Int.random(in: 0...60, using: &random)
  return Record(key: key, version: version, value: (0..<length).map { _ in UInt8(truncatingIfNeeded: random.next()) })
}
