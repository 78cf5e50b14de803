import Bytes
import Environment
import HashRing
import Raft
import Store
import Wire

/// The writes of a partition between arrival and answer, while its replica leads: waiting for their key, waiting for
/// a version, in the log.
///
/// Writes that arrive while the batch before waits for its versions form the next batch. One batch at a time asks
/// for versions, and proposes them before the next one asks: so the order of the log is the order of versions.
final class WriteQueue {
  /// Writes in one log entry.
  struct Batch {
    let number: UInt64
    let term: Term
    var writes: [PendingWrite]
    var index = LogIndex.zero
    var first = Version.zero
  }

  private var latches = KeyLatches()
  /// Writes that are on their way, by id: a repetition joins the first.
  private var underWay: [RequestID: PendingWrite] = [:]
  private var queue: [PendingWrite] = []
  private var queuedBytes = 0
  private var awaitingVersions: Batch?
  /// In log order.
  private var proposed: [Batch] = []
  private var nextBatch: UInt64 = 1

  /// The number of the newest batch that has begun to ask for versions and isn't done; nil if there is none.
  var newestBatch: UInt64? { awaitingVersions?.number ?? proposed.last?.number }
  /// All batches up to this one are done.
  var finishedBatch: UInt64 { (proposed.first?.number ?? awaitingVersions?.number ?? nextBatch) - 1 }

  /// The number of writes that were taken in and not answered.
  var count: Int { underWay.count }

  /// Whether writes wait for a batch to carry them.
  var hasQueued: Bool { awaitingVersions == nil && !queue.isEmpty }

  // MARK: Arrival

  /// Takes a write in at the leader.
  func add(_ write: PendingWrite, in partition: Partition) {
    if let first = underWay[write.id] {
      return first.join(write) ? () : write.failed(.refused, WriteQueue.reused)
    }
    switch partition.sessions.lookup(write.id, digest: write.digest) {
    case .done(let result): return write.done(result)
    case .conflict: return write.failed(.refused, WriteQueue.reused)
    case .forgotten:
      return write.failed(.refused, "the request id was acknowledged before: its outcome is no longer kept")
    case .new: break
    }
    guard !partition.refusesWrites else {
      return write.failed(.unavailable, partition.overload)
    }
    guard queue.count < Limits.queuedWrites, queuedBytes < Limits.queuedBytes.rawValue else {
      return write.failed(.unavailable, "partition \(partition.group) has too many writes waiting; try again")
    }
    underWay[write.id] = write
    admit(write, in: partition)
  }

  private static let reused = "the request id was used for another write"

  private func admit(_ write: PendingWrite, in partition: Partition) {
    guard !latches.makesWait(write) else { return }
    if write.mustLook {
      guard decide(write, in: partition) else {
        underWay[write.id] = nil
        return
      }
    }
    latches.begin(write)
    queue.append(write)
    queuedBytes += write.bytes
    partition.node.versions.wanted(by: partition)
  }

  /// Looks at the keys' present state; answers a write that changes nothing, and says whether the log is to have it.
  private func decide(_ write: PendingWrite, in partition: Partition) -> Bool {
    do throws(StoreError) {
      if write.isDeletion || write.condition != .none {
        let present = try partition.value(of: write.key)
        guard write.condition.holds(for: present), !write.isDeletion || present != nil else {
          return refuse(write, 0, for: present, in: partition)
        }
      }
      for (place, other) in write.others.enumerated() where other.condition != .none {
        let present = try partition.value(of: other.key)
        guard other.condition.holds(for: present) else { return refuse(write, place + 1, for: present, in: partition) }
      }
      return true
    } catch {
      write.reply(partition.refuse(error))
      return false
    }
  }

  /// Refuses a write for what a key is: of a batch, that of the write at a place. Says whether the log is to record it.
  private func refuse(_ write: PendingWrite, _ place: Int, for present: Record?, in partition: Partition) -> Bool {
    let refusal = Refusal(write: write.isBatch ? UInt32(place + 1) : 0, present: present?.version ?? .zero)
    if write.mustSettle, partition.node.catalog.catalog?.format ?? 0 >= Refusal.format {
      write.refuse(refusal)
      return true
    }
    // Not in the log, this is a read, and a leader that was deposed unawares must not answer it.
    guard let replica = partition.replica else {
      write.reply(partition.notLeader)
      return false
    }
    replica.confirmLeadership { leads in
      let serves = leads && write.all { partition.serves(Position(of: $0)) }
      if serves { write.refused(refusal, isRecorded: false) } else { write.reply(partition.notLeader) }
    }
    return false
  }

  // MARK: Versions and the log

  /// The next batch of at most so many bytes to ask versions for, or nil: how many are needed, and how
  /// large it is. Writes that are to be made together are one by themselves, and get one version.
  func startBatch(term: Term, maxBytes: ByteCount) -> (count: Int, bytes: Int)? {
    guard awaitingVersions == nil, !queue.isEmpty else { return nil }
    var bytes = 0
    var count = 0
    while count < queue.count, count < Limits.writesPerEntry {
      if count > 0, queue[count].isAlone || queue[0].isAlone { break }
      bytes += queue[count].bytes
      if count > 0, bytes > maxBytes.rawValue { break }
      count += 1
    }
    let writes = Array(queue[..<count])
    queue.removeFirst(count)
    let size = writes.reduce(0) { $0 + $1.bytes }
    queuedBytes -= size
    awaitingVersions = Batch(number: nextBatch, term: term, writes: writes)
    nextBatch += 1
    return (count, size)
  }

  /// The versions have come, or won't: proposes the batch, or ends it.
  func received(first: Version?, in partition: Partition) {
    guard var batch = awaitingVersions else { return }
    awaitingVersions = nil
    if let first { endExpired(&batch, at: first, in: partition) }
    guard !batch.writes.isEmpty else { return }
    guard let first else {
      return end(batch.writes, in: partition) { $0.failed(.unavailable, "the oracle gave no version in time") }
    }
    guard let replica = partition.replica, replica.leads, replica.core.term == batch.term else {
      return end(batch.writes, in: partition) { $0.reply(partition.notLeader) }
    }
    guard first > max(partition.lastVersion, proposed.last.map { $0.first } ?? .zero) else {
      return end(batch.writes, in: partition) { $0.failed(.unavailable, "the oracle gave an old version") }
    }
    // A split may be in the log by now, behind which a batch would be parted.
    if batch.writes[0].isAlone, !batch.writes[0].all({ partition.serves(Position(of: $0)) }) {
      return end(batch.writes, in: partition) { $0.reply(partition.notLeader) }
    }
    let payload =
      batch.writes[0].isAlone
      ? batch.writes[0].batchCommand(at: first)
      : PartitionCommand.encode(batch.writes.lazy.map(\.command), first: first)
    do {
      batch.index = try replica.propose(payload).index
      batch.first = first
      proposed.append(batch)
    } catch {
      let words = "the partition's log takes no entry now: \(error)"
      end(batch.writes, in: partition) { $0.failed(.unavailable, words) }
    }
  }

  /// Ends the writes whose ids are too old, or too young, for the version that they would get.
  private func endExpired(_ batch: inout Batch, at version: Version, in partition: Partition) {
    guard batch.writes.contains(where: { $0.id.expiry(at: version) != nil }) else { return }
    let expired = batch.writes.filter { $0.id.expiry(at: version) != nil }
    batch.writes.removeAll { $0.id.expiry(at: version) != nil }
    end(expired, in: partition) { $0.failed(.refused, $0.id.expiry(at: version) ?? "") }
  }

  /// An entry was applied: answers the writes in it.
  func applied(_ entry: LogEntry, in partition: Partition) {
    endOvertaken(by: entry, in: partition)
    guard let batch = proposed.first, batch.index == entry.index, batch.term == entry.term else { return }
    proposed.removeFirst()
    var version = batch.first
    end(batch.writes, in: partition) { write in
      let isDone = write.all { partition.owns(Position(of: $0)) }
      if isDone { write.done(version) } else { write.reply(partition.notLeader) }
      version = version.advanced(by: 1)
    }
  }

  /// An entry of another leader stands where batches were proposed: those are certainly not done.
  func endOvertaken(by entry: LogEntry, in partition: Partition) {
    while let batch = proposed.first,
      batch.index < entry.index || batch.index == entry.index && batch.term != entry.term
    {
      proposed.removeFirst()
      end(batch.writes, in: partition) { $0.failed(.unavailable, "another leader's entry took the write's place") }
    }
  }

  // MARK: Ends

  /// The replica leads no more: what isn't in the log is certainly not done, the rest is unknown.
  func leadershipLost(in partition: Partition) {
    let unproposed = queue + (awaitingVersions?.writes ?? []) + latches.removeAll()
    let unknown = proposed.flatMap(\.writes)
    queue.removeAll()
    queuedBytes = 0
    awaitingVersions = nil
    proposed.removeAll()
    underWay.removeAll()
    for write in unproposed { write.reply(partition.notLeader) }
    for write in unknown {
      write.failed(.unknownOutcome, "node \(partition.node.id) lost the leadership of partition \(partition.group)")
    }
  }

  /// Ends the writes whose time is over: those not in the log for certain, those in it as unknown.
  func expire(now: Moment, in partition: Partition) {
    if queue.contains(where: { $0.deadline <= now }) {
      let late = queue.filter { $0.deadline <= now }
      queue.removeAll { $0.deadline <= now }
      queuedBytes -= late.reduce(0) { $0 + $1.bytes }
      let words = partition.store.pressure == .stop ? partition.overload : "the oracle gave no version in time"
      end(late, in: partition) { $0.failed(.unavailable, words) }
    }
    for batch in proposed {
      for write in batch.writes where write.deadline <= now {
        write.failed(.unknownOutcome, "partition \(partition.group) found no majority in time")
      }
    }
  }

  private func end(_ writes: [PendingWrite], in partition: Partition, answer: (PendingWrite) -> Void) {
    var woken: [PendingWrite] = []
    for write in writes {
      answer(write)
      underWay[write.id] = nil
      woken += latches.end(write)
    }
    for write in woken { admit(write, in: partition) }
    partition.releaseBarriers()
  }
}

extension Partition {
  /// The key's latest record, if it is a value.
  fileprivate func value(of key: Key) throws(StoreError) -> Record? {
    try store.get(key, at: .max).flatMap { $0.kind == .value ? $0 : nil }
  }
}
