import Bytes
import Environment
import HashRing
import Raft
import Store
import Wire

/// The state machine of one partition on this node: its store, its request ids, and, while its replica leads, the
/// writes and reads on their way.
final class Partition: GroupMachine {
  /// SAFETY: the node owns this, and outlives every call into it.
  unowned(unsafe) let node: Node
  let group: GroupID
  let replicaID: ReplicaID
  let directory: String
  /// The positions that it owns; a split cuts it in half.
  var arc: Arc
  /// Whether its tables may hold keys outside of its arc.
  var isCut: Bool
  /// From which partition's replica it was cut, and where in that one's log.
  let origin: PartitionState.Origin?
  var store: PartitionStore { didSet { filterKeys() } }
  var sessions: SessionTable
  /// The version of the last write applied.
  var lastVersion: Version

  var split = SplitProgress()
  /// Until when a replica that was cut off asks for votes by itself, and when next.
  var campaignsUntil: Moment?
  var nextCampaign = Moment(rawValue: 0)
  /// When reads met damage here and the leadership was handed over for it, of late.
  var damagedReads = DamagedReads()

  // While leading:
  let writes = WriteQueue()
  /// Reads that wait for writes which were on their way when the read arrived: served once as many batches are done.
  var barriers: [(batch: UInt64, done: (Bool) -> Void)] = []
  var jobs = StoreJobs()
  var isReceiving = false
  /// When the next batch may start while the store is behind, and at which rate.
  var nextSlowBatch = Moment(rawValue: 0)
  var slowWrites = TokenBucket(bytesPerSecond: 1 << 30, burstBytes: Limits.slowBatchBytes.rawValue)
  /// Since when the store is so far behind that no batch may start.
  var stoppedSince: Moment?
  /// Up to which version this replica knows every write.
  var closed = ClosedVersion()
  var acknowledgements = Acknowledgements()

  init(
    node: Node, group: GroupID, replicaID: ReplicaID, directory: String, arc: Arc, store: PartitionStore,
    isCut: Bool = false, origin: PartitionState.Origin? = nil
  ) throws(ByteError) {
    self.node = node
    self.group = group
    self.replicaID = replicaID
    self.directory = directory
    self.arc = arc
    self.isCut = isCut
    self.origin = origin
    self.store = store
    sessions = try SessionTable(decoding: store.flushedState.sessions)
    lastVersion = store.flushedState.lastVersion
    filterKeys()
  }

  /// The consensus half of this replica. A partition is made before its replica, and used only after.
  var replica: GroupReplica? { node.replicas[group] }

  // MARK: Applying

  func apply(_ entry: LogEntry) {
    guard !entry.payload.isEmpty else { return writes.endOvertaken(by: entry, in: self) }
    guard !SplitCommand.isOne(entry.payload) else {
      apply(splitIn: entry)
      return writes.endOvertaken(by: entry, in: self)
    }
    guard !AcknowledgementCommand.isOne(entry.payload) else {
      apply(acknowledgementsIn: entry)
      return writes.endOvertaken(by: entry, in: self)
    }
    if let mark = CheckMark(payload: entry.payload) {
      node.checks.reached(mark, at: entry.index, self)
      return writes.endOvertaken(by: entry, in: self)
    }
    do {
      let last = try PartitionCommand.decode(entry.payload) { key in
        // Proposed before its leader had applied a split: not done here, nor anywhere.
        owns(Position(ofBytes: entry.payload, range: key))
      } refused: { identity, refusal, version in
        sessions.record(identity, version: version, refusal: refusal)
      } each: { write in
        store.apply(
          payload: entry.payload, keyRange: write.key, valueRange: write.value, version: write.version, kind: write.kind
        )
        if let identity = write.identity { sessions.record(identity, version: write.version) }
      }
      precondition(last > lastVersion, "log order is version order")
      lastVersion = last
      node.versions.learned(last)
    } catch {
      // An unknown command is never skipped: later ones may depend on it (DESIGN §5).
      return node.host.fatal("partition \(group): log entry \(entry.index) can't be applied: \(error)")
    }
    writes.applied(entry, in: self)
    node.changeWaits.applied(entry, in: self)
  }

  func caughtUp() {
    guard let replica else { return }
    closed.applied(replica.applied.index)
    node.checks.caughtUp(group)
    if store.needsFlush { flush() }
    node.planner.reconcile(self)
  }

  func roleChanged() {
    split.proposed = nil
    // Also where this replica leads anew: what it began in an earlier term is not its to end.
    writes.leadershipLost(in: self)
    releaseBarriers(all: true)
  }

  func membershipChanged() {
    node.planner.reconcile(self)
  }

  func tick() {
    writes.expire(now: node.now, in: self)
    noticePressure()
    proposeAcknowledgements()
    if store.needsFlush { flush() }
    beginChildIfDue()
    campaignIfNew()
    node.planner.reconcile(self)
  }

  var needsTicks: Bool {
    writes.count > 0 || stoppedSince != nil || campaignsUntil != nil || split.isUnderWay || store.needsFlush
      || !acknowledgements.isEmpty || node.planner.moving.contains(group)
  }

  /// Whether the replica has been filled: it knows its own membership.
  var hasState: Bool { replica.map { !$0.core.membership.voters.isEmpty } ?? false }

  // MARK: Reading

  /// Gives the answer to a read of one key, linearizable as of now.
  func get(_ request: WireGetRequest, reply: @escaping Reply) {
    let key = Key(request.key.array)
    let at = request.at == 0 ? Version.max : Version(rawValue: request.at)
    whenReadable(at: at) { [self] failure in
      if let failure { return reply(failure) }
      guard serves(Position(of: key)) else { return reply(notLeader) }
      reply(read(key, at: at))
    }
  }

  /// The value of a key in the store as it is.
  func read(_ key: Key, at version: Version) -> WireResponse.OneOf_Body {
    do throws(StoreError) {
      guard let record = try store.get(key, at: version), record.kind == .value else {
        return .get(WireGetResponse())
      }
      return .get(
        .with {
          $0.found = true
          $0.version = record.version.rawValue
          $0.value = .init(record.value)
        })
    } catch {
      return refuse(error)
    }
  }

  /// Calls back once a read at a version may be served from the store: this replica leads, and no write that is on
  /// its way now can get that version or one below. With a failure where that can't be.
  func whenReadable(at version: Version, _ done: @escaping (WireResponse.OneOf_Body?) -> Void) {
    guard let replica else { return done(notLeader) }
    replica.confirmLeadership { [self] leads in
      guard leads else { return done(notLeader) }
      guard version != .max, version > lastVersion, let batch = writes.newestBatch else { return done(nil) }
      barriers.append((batch, { [self] served in done(served ? nil : notLeader) }))
    }
  }

  /// Lets go of the reads whose writes are done.
  func releaseBarriers(all lost: Bool = false) {
    guard !barriers.isEmpty else { return }
    let finished = writes.finishedBatch
    let ready = lost ? barriers : barriers.filter { $0.batch <= finished }
    barriers.removeAll { lost || $0.batch <= finished }
    for barrier in ready { barrier.done(!lost) }
  }

  /// The answer of a replica that does not lead.
  var notLeader: WireResponse.OneOf_Body { sentOn("node \(node.id) does not lead partition \(group)") }

  /// Sends who asked on to the leader.
  func sentOn(_ words: String) -> WireResponse.OneOf_Body {
    let leader = replica.map { $0.core.leader == .none || $0.core.isLeader ? nil : $0.core.leader.node } ?? nil
    return WireFailure.because(.notLeader, words, leader: leader)
  }
}
