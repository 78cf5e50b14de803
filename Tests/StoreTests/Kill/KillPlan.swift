import Bytes
import Environment
import Glibc
import Log
import Table

@testable import Store

/// What a process that will be killed writes, such that another knows it too: record number n has version n.
enum KillPlan {
  private static let keys: UInt64 = 300
  /// The most records that are made durable at once.
  static let batch: UInt64 = 16
  /// The versions behind the last that stay readable.
  private static let retained: UInt64 = 5000
  private static let group = GroupID(rawValue: 1)

  static func key(_ number: UInt64) -> Key { Key("key/\(SplitMix64.mix(number) % keys)") }

  static func record(_ number: UInt64) -> Record {
    let hash = SplitMix64.mix(number ^ 0x5eed)
    guard hash % 5 > 0 else { return .tombstone(key(number), Version(rawValue: number)) }
    let length = hash % 100 == 1 ? 5000 : Int(hash >> 8 % 200)
    let value = (0..<length).map { UInt8(truncatingIfNeeded: hash >> UInt64($0 % 8 * 8)) }
    return Record(key: key(number), version: Version(rawValue: number), value: value)
  }

  /// What is retained once so many records were written: the last ones, and of the four thousands before these one version
  /// each.
  static func retention(_ count: UInt64) -> Retention {
    guard count > retained else { return .everything }
    let floor = count - retained
    let pins = stride(from: floor / 1000 * 1000, to: 0, by: -1000).prefix(4).map { Version(rawValue: $0) }
    return Retention(floor: Version(rawValue: floor), pins: pins)
  }

  /// So small that all levels are in use within a second.
  private static var options: StoreOptions {
    var options = StoreOptions()
    options.memtableBytes = 48 << 10
    options.level0Files = 2
    options.levelBaseBytes = 48 << 10
    options.levelRatio = 2
    options.targetFileBytes = 16 << 10
    options.manifestBytes = 8 << 10
    options.historyBufferBytes = 32 << 10
    options.historyRunBytes = 2 << 10
    options.historyFanIn = 3
    options.settledRunBytes = 8 << 10
    options.table = TableOptions(blockBytes: 2 << 10)
    return options
  }

  /// A store and its log as a process finds them when it starts.
  struct Opened {
    let store: PartitionStore
    let log: SharedLog
    /// The number of the last record.
    let last: UInt64
    /// What is wrong with them.
    var faults: [String] = []
  }

  /// Opens store and log, or makes them, and applies to the store what only the log has.
  static func open(_ directory: String) throws -> Opened {
    let disk = PosixDisk()
    for path in [directory, directory + "/log"] { try disk.createDirectory(path) }
    let (log, recovered) = try SharedLog.open(
      disk: disk, directory: directory + "/log", options: LogOptions(segmentBytes: .kibibytes(64)))
    let cache = BlockCache(byteBudget: 1 << 20)
    let path = directory + "/store"
    let store =
      disk.exists(path + "/CURRENT")
      ? try PartitionStore.open(disk: disk, directory: path, options: options, cache: cache)
      : try PartitionStore.create(disk: disk, directory: path, options: options, cache: cache, state: StoreState())
    var faults = recovered.damage.map(\.description)
    var last = store.flushedState.appliedIndex.rawValue
    for (_, group) in recovered.groups {
      if group.health != .intact { faults.append("the log is \(group.health)") }
      if group.compactedThrough.rawValue > last { faults.append("the log lost what the store doesn't have") }
      for entry in group.entries where entry.index.rawValue > last {
        last += 1
        let record = Self.record(last)
        if entry.index.rawValue != last || entry.payload != record.key.bytes + record.value {
          faults.append("entry \(entry.index) is not what was written as record \(last)")
        }
        store.apply(record)
      }
    }
    return Opened(store: store, log: log, last: last, faults: faults)
  }

  /// Writes until the process is killed. Behind each batch that is durable, what has been acknowledged stands in a file
  /// that outlives the process, though not the machine.
  static func write(_ directory: String) throws {
    let opened = try open(directory)
    let acknowledgments = Glibc.open(directory + "/acknowledged", O_WRONLY | O_CREAT, 0o600)
    let writer = KillWriter(opened, acknowledgments)
    while true { try writer.writeBatch() }
  }

  /// The log's entry for a record.
  static func entry(_ record: Record, _ number: UInt64) -> LogEntry {
    LogEntry(
      term: Term(rawValue: 1), index: LogIndex(rawValue: number), payload: record.key.bytes + record.value)
  }

  static func append(_ entries: [LogEntry], compacted: LogIndex, to log: SharedLog) throws {
    try log.append(
      [LogWrite(group: group, entries: entries, compactedThrough: compacted == .zero ? nil : compacted)], sync: true)
  }
}

/// The life of a process until it is killed: batches, flushes, and slices of compactions in between.
private final class KillWriter {
  private let store: PartitionStore
  private let log: SharedLog
  private var last: UInt64
  private let acknowledgments: Int32
  private var compaction: CompactionJob?

  init(_ opened: KillPlan.Opened, _ acknowledgments: Int32) {
    store = opened.store
    log = opened.log
    last = opened.last
    self.acknowledgments = acknowledgments
  }

  func writeBatch() throws {
    let records = (1...1 + SplitMix64.mix(last) % KillPlan.batch).map { KillPlan.record(last + $0) }
    let entries = records.enumerated().map { KillPlan.entry($0.element, last + 1 + UInt64($0.offset)) }
    try KillPlan.append(entries, compacted: store.flushedState.appliedIndex, to: log)
    last += UInt64(records.count)
    withUnsafeBytes(of: last) { _ = pwrite(acknowledgments, $0.baseAddress, 8, 0) }
    for record in records { store.apply(record) }
    store.retain(KillPlan.retention(last))
    let state = StoreState(appliedIndex: LogIndex(rawValue: last), lastVersion: Version(rawValue: last))
    if store.needsFlush, let job = store.freeze(state: state) { try store.install(job.run()) }
    compaction = compaction ?? store.nextCompaction()
    if let result = compaction?.step(bytes: 8 << 10) {
      compaction = nil
      try store.install(result)
    }
  }
}
