import Bytes
import Environment
import Log
import Store
import Synchronization
import Table

/// A store and a log as a node has them, used by one thread; flushes and compactions run on threads of their own.
final class BenchStore {
  private(set) var store: PartitionStore
  private let directory: String
  private let options: StoreOptions
  private let cacheBytes: Int
  private let log: SharedLog
  private let group = GroupID(rawValue: 1)
  private var index = LogIndex.zero
  private var lastVersion = Version.zero
  private var flush: BenchJob<FlushResult>?
  private var compaction: BenchJob<CompactionResult>?
  /// Holds writes to the rate that the store asks for.
  private var writes = TokenBucket(bytesPerSecond: 1 << 30, burstBytes: 64 << 10)
  private let pace = Pace()
  /// Whether a compaction may have become due.
  private var mayCompact = false

  /// Makes a store and a log in a directory, or opens those that an earlier run has left there.
  init(directory: String, cacheBytes: Int, memtableBytes: Int, isNew: Bool = true) throws(CommandError) {
    var options = StoreOptions()
    options.memtableBytes = memtableBytes
    options.levelBaseBytes = 4 * memtableBytes
    options.targetFileBytes = 32 << 20
    self.directory = directory
    self.options = options
    self.cacheBytes = cacheBytes
    let disk = PosixDisk()
    do throws(DiskError) {
      try disk.createDirectory(directory)
      try disk.createDirectory(directory + "/log")
    } catch {
      throw .engine("\(error)")
    }
    let cache = BlockCache(byteBudget: cacheBytes)
    do throws(StoreError) {
      store =
        isNew
        ? try PartitionStore.create(
          disk: disk, directory: directory + "/store", options: options, cache: cache, state: StoreState())
        : try PartitionStore.open(disk: disk, directory: directory + "/store", options: options, cache: cache)
    } catch {
      throw .engine("\(error)")
    }
    do throws(LogError) {
      log = try SharedLog.open(
        disk: disk, directory: directory + "/log", options: LogOptions(segmentBytes: .mebibytes(64))
      ).0
    } catch {
      throw .engine("\(error)")
    }
  }

  /// Writes a record to the log, durably or not, and applies it.
  func put(_ key: [UInt8], _ value: [UInt8], version: Version, sync: Bool) throws(CommandError) {
    var writer = ByteWriter(capacity: key.count + value.count)
    writer.raw(key)
    writer.raw(value)
    let payload = writer.bytes
    index = index.next
    lastVersion = version
    let entry = LogEntry(term: Term(rawValue: 1), index: index, payload: payload)
    let compacted = store.flushedState.appliedIndex
    do throws(LogError) {
      try log.append(
        [LogWrite(group: group, entries: [entry], compactedThrough: compacted == .zero ? nil : compacted)], sync: sync)
    } catch {
      throw .engine("\(error)")
    }
    store.apply(
      payload: payload, keyRange: 0..<key.count, valueRange: key.count..<payload.count, version: version, kind: .value)
    try work()
    while store.pressure == .stop {
      ProcessFacts.sleep(milliseconds: 1)
      try work()
    }
    if case .slow(let rate) = store.pressure {
      let now = ProcessFacts.steadyNanoseconds
      if rate != writes.bytesPerSecond { writes.setRate(rate, at: now) }
      let pause = writes.take(key.count + value.count, at: now)
      if pause >= 1_000_000 { ProcessFacts.sleep(milliseconds: pause / 1_000_000) }
    }
  }

  /// Takes over what the jobs have done, and starts what is due.
  private func work() throws(CommandError) {
    do throws(StoreError) {
      if let result = flush?.result {
        flush = nil
        try store.install(result)
        mayCompact = true
      }
      if let result = compaction?.result {
        compaction = nil
        try store.install(result)
        mayCompact = true
      }
    } catch {
      throw .engine("\(error)")
    }
    if flush == nil, store.needsFlush, let job = store.freeze(state: state) { flush = BenchJob { job.run() } }
    if mayCompact, compaction == nil {
      mayCompact = false
      if let job = store.nextCompaction() {
        compaction = BenchJob { [pace] in
          while true {
            if let result = job.step(bytes: CompactionPacer.sliceBytes) { return result }
            pace.pause()
          }
        }
      }
    }
    if compaction != nil { pace.note(debt: store.debtBytes, pressure: store.pressure) }
  }

  private var state: StoreState {
    StoreState(appliedIndex: index, appliedTerm: Term(rawValue: 1), lastVersion: lastVersion)
  }

  /// Flushes all, compacts what is due and then the current tier into one level.
  func settle() throws(CommandError) {
    try finishJobs()
    do throws(StoreError) {
      if let job = store.freeze(state: state) { try store.install(job.run()) }
      while let job = store.nextCompaction() { try store.install(job.run()) }
      if let job = store.fullCompaction() { try store.install(job.run()) }
      while let job = store.nextCompaction() { try store.install(job.run()) }
    } catch {
      throw .engine("\(error)")
    }
  }

  /// Opens the store anew, with an empty cache.
  func reopen() throws(CommandError) {
    do throws(StoreError) {
      store = try PartitionStore.open(
        disk: PosixDisk(), directory: directory + "/store", options: options,
        cache: BlockCache(byteBudget: cacheBytes))
    } catch {
      throw .engine("\(error)")
    }
  }

  /// Lets go of everything before a version.
  func expire(before floor: Version) throws(CommandError) {
    store.retain(Retention(floor: floor))
    do throws(StoreError) {
      while let job = store.nextCompaction() { try store.install(job.run()) }
    } catch {
      throw .engine("\(error)")
    }
  }

  private func finishJobs() throws(CommandError) {
    while flush != nil || compaction != nil {
      ProcessFacts.sleep(milliseconds: 1)
      try work()
    }
  }

  /// The tables and bytes of each level, for people.
  var layout: String {
    func row(_ name: String, _ levels: [(files: Int, bytes: UInt64)]) -> String {
      let parts = levels.enumerated().filter { $0.element.files > 0 }
        .map { "\($0.offset): \($0.element.files) files, \($0.element.bytes >> 10) KiB" }
      return "\(name): " + (parts.isEmpty ? "nothing" : parts.joined(separator: "; "))
    }
    return row("current", store.levels) + "\n" + row("history", store.historyLevels)
      + "\nindexes and filters in memory: \(store.residentTableBytes >> 10) KiB; resident in all: "
      + (ProcessFacts.residentKibibytes.map { "\($0) KiB" } ?? "unknown")
  }
}

/// What the thread of a compaction knows of the store, which it must not touch.
private final class Pace: Sendable {
  private struct State {
    var pacer = CompactionPacer()
    var debt: UInt64 = 0
    var pressure = WritePressure.none
  }

  private let state = Mutex(State())

  func note(debt: UInt64, pressure: WritePressure) {
    state.withLock { ($0.debt, $0.pressure) = (debt, pressure) }
  }

  /// Waits as long as a slice of a compaction asks for.
  func pause() {
    let nanoseconds = state.withLock {
      $0.pacer.pause(
        after: CompactionPacer.sliceBytes, debt: $0.debt, pressure: $0.pressure, at: ProcessFacts.steadyNanoseconds)
    }
    if nanoseconds >= 1_000_000 { ProcessFacts.sleep(milliseconds: nanoseconds / 1_000_000) }
  }
}

/// A job on a thread of its own, and its result when it is there.
private final class BenchJob<Result: Sendable>: Sendable {
  private let outcome = Mutex<Result?>(nil)
  private let isDone = Atomic<Bool>(false)

  init(_ body: @escaping @Sendable () -> Result) {
    Threads.detach { [self] in
      let result = body()
      outcome.withLock { $0 = result }
      isDone.store(true, ordering: .releasing)
    }
  }

  var result: Result? { isDone.load(ordering: .acquiring) ? outcome.withLock { $0 } : nil }
}
