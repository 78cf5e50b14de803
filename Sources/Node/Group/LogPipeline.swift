import Bytes
import Environment
import Log

/// Group commit: gathers what all groups of the node have for the shared log while the batch before is being
/// written, then hands it over as one write and one fsync.
final class LogPipeline {
  /// What is written at once.
  private struct Batch {
    let writes: [LogWrite]
    let tickets: [(replica: GroupReplica, ticket: UInt64)]
    let callbacks: [() -> Void]
    let needsSync: Bool
  }

  /// SAFETY: the node owns this, and outlives every call into it.
  private unowned(unsafe) let node: Node
  private let log: SharedLog
  private let spares: SpareSegments
  private var writes: [LogWrite] = []
  private var tickets: [(replica: GroupReplica, ticket: UInt64)] = []
  private var callbacks: [() -> Void] = []
  private var needsSync = false
  private var isBusy = false
  /// Whether the log has been told that it rests since the last batch.
  private var isSettled = false
  /// A batch for which the disk had no room.
  private var stalled: Batch?
  /// Whether entries that a leader here has proposed wait for the batch before to be written.
  private(set) var holdsProposals = false
  /// The bytes of the log's segments in use, as of the last batch.
  private(set) var logBytes: ByteCount
  /// How far the log is durable, as of the last batch.
  private(set) var durableEnd: UInt64
  /// Whether the log waits for room on the disk.
  var isStalled: Bool { stalled != nil }
  /// Called when the pipeline next runs dry.
  private var idleCallbacks: [() -> Void] = []

  init(node: Node, log: SharedLog) {
    self.node = node
    self.log = log
    logBytes = log.statistics.bytes
    durableEnd = log.durableEnd
    spares = SpareSegments(node: node, log: log)
  }

  /// The number of writes that wait for the next batch.
  var waitingCount: Int { writes.count }

  /// Whether so many wait, for a disk that stalls, that what other nodes send finds no room.
  var isSaturated: Bool { writes.count >= Limits.waitingLogWrites }

  /// Adds to the next batch. When it is durable, the replica is told its ticket.
  func append(_ write: LogWrite, for replica: GroupReplica?, ticket: UInt64, mustSync: Bool) {
    writes.append(write)
    if let replica, !write.entries.isEmpty, replica.core.isLeader { holdsProposals = true }
    if let replica { tickets.append((replica, ticket)) }
    needsSync = needsSync || mustSync
  }

  /// Adds that a group is no more to the next batch, and calls back when that is durable.
  func appendRemoval(of group: GroupID, then done: @escaping () -> Void = {}) {
    append(LogWrite(group: group, removed: true), for: nil, ticket: 0, mustSync: true)
    callbacks.append(done)
  }

  /// Calls back once everything appended so far is in the log, or waits for room on the disk.
  func whenIdle(_ done: @escaping () -> Void) {
    guard !isStalled, isBusy || !writes.isEmpty || !isSettled else { return done() }
    idleCallbacks.append(done)
    settle()
  }

  /// Tells the log that it rests, where it does.
  func settle() {
    guard !isBusy, !isStalled, writes.isEmpty, !isSettled else { return }
    isBusy = true
    isSettled = true
    node.host.run(.log) { [log] in
      log.settle()
    } then: { [self] in
      isBusy = false
      finishIdling()
      node.pump()
    }
  }

  /// Who waits for the pipeline to run dry is told, once the log is at rest or can't go on.
  private func finishIdling() {
    guard !idleCallbacks.isEmpty, isStalled || writes.isEmpty else { return }
    guard isStalled || isSettled else { return settle() }
    let callbacks = idleCallbacks
    idleCallbacks.removeAll()
    for done in callbacks { done() }
  }

  /// Starts writing the batch unless one is being written. Called at the end of each pump.
  func start() {
    guard !isBusy, stalled == nil, !writes.isEmpty else { return }
    let batch = Batch(writes: writes, tickets: tickets, callbacks: callbacks, needsSync: needsSync)
    holdsProposals = false
    writes.removeAll(keepingCapacity: true)
    tickets.removeAll(keepingCapacity: true)
    callbacks.removeAll(keepingCapacity: true)
    needsSync = false
    write(batch)
  }

  /// Tries the batch again for which there was no room.
  func retry() {
    guard let batch = stalled else { return }
    stalled = nil
    write(batch)
  }

  private func count(_ batch: Batch, since began: Moment) {
    var (entries, bytes) = (0, 0)
    for write in batch.writes {
      entries += write.entries.count
      for entry in write.entries { bytes += entry.payload.count }
    }
    node.counters.logWrite.record(node.now.rawValue - began.rawValue)
    if entries > 0 { node.counters.batchEntries.record(UInt64(entries)) }
    node.counters.loggedBytes += UInt64(bytes)
  }

  private func write(_ batch: Batch) {
    isBusy = true
    isSettled = false
    let began = node.now
    let (budget, maySpare) = (node.logBudget, spares.mayOrder)
    let catalogBudget = ByteCount.bytes(budget.rawValue / Limits.catalogLogPart)
    node.host.run(.log) { [log, writes = batch.writes, sync = batch.needsSync] in
      Result { () throws(LogError) -> (pinning: [GroupID], spare: SpareSegment?, bytes: ByteCount, end: UInt64) in
        try log.append(writes, sync: sync)
        var pinning = log.pinningGroups(beyond: budget)
        if pinning.isEmpty, log.pinnedBytes(by: .catalog) > catalogBudget { pinning = [.catalog] }
        return (pinning, maySpare ? log.beginSpare() : nil, log.statistics.bytes, log.durableEnd)
      }
    } then: { [self] result in
      isBusy = false
      switch result {
      case .success(let written):
        count(batch, since: began)
        logBytes = written.bytes
        durableEnd = written.end
        for (replica, ticket) in batch.tickets { replica.persisted(ticket: ticket) }
        for done in batch.callbacks { done() }
        for group in written.pinning { node.replicas[group]?.release() }
        if let order = written.spare { spares.make(order) }
      case .failure(.full(let error)):
        // Nothing of it was acknowledged: it waits, whole, and all that comes after behind it.
        stalled = batch
        node.space.ranOut(error)
      case .failure(let error):
        // Nothing that the batch covered is ever acknowledged (DESIGN §5).
        return node.host.fatal("the log can't be written: \(error)")
      }
      finishIdling()
      node.pump()
    }
  }
}
