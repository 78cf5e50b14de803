import Bytes
import Environment
import Log
import Raft

/// One replica of one group on this node: the consensus core, the state machine behind it, and what the two wait for.
final class GroupReplica {
  let group: GroupID
  let id: ReplicaID
  var core: RaftCore
  let machine: any GroupMachine
  /// SAFETY: the node owns this, and outlives every call into it.
  private unowned(unsafe) let node: Node

  /// Whether the replica stands in the node's list of those to be drained.
  var isScheduled = false
  /// Messages that may leave only when the append with their ticket is durable, oldest first.
  private var held: [(ticket: UInt64, messages: [Message])] = []
  /// The last entry that the machine has applied.
  private(set) var applied: (index: LogIndex, term: Term)
  private var reads = ReadWaiters()
  private var knownRole: (isLeader: Bool, term: Term)
  private var knownLeader: ReplicaID
  private var isInstalling = false
  /// Whether the node has taken it out: what is under way of it, and what it was told in the same turn, comes to nothing.
  private var isEnded = false
  /// Committed entries that wait to be applied, from `nextToApply` on.
  private var committed: [LogEntry] = []
  private var nextToApply = 0
  /// Up to here the log is to be let go as soon as it is flushed, whoever might still need it.
  private var releasing: LogIndex?

  init(
    node: Node, group: GroupID, id: ReplicaID, core: RaftCore, machine: any GroupMachine,
    applied: (index: LogIndex, term: Term)
  ) {
    self.node = node
    self.group = group
    self.id = id
    self.core = core
    self.machine = machine
    self.applied = applied
    knownRole = (core.isLeader, core.term)
    knownLeader = core.leader
  }

  /// The leader that last told this replica what contradicts its committed entries, and when.
  private var contradiction: (leader: ReplicaID, at: Moment)?

  /// Whether this replica leads and has applied an entry of its own term, so that all that was committed before its
  /// time is in the machine.
  var leads: Bool { core.isLeader && applied.term == core.term && !isInstalling }

  /// The number of writes under way whose messages wait for them.
  var heldCount: Int { held.count }
  /// The number of reads that wait for a proof or for the log to be applied.
  var readCount: Int { reads.count }

  // MARK: Inputs

  /// Moves time on. A quiescent replica whose machine waits for nothing rests until the next round.
  func tick(now: Moment, isRound: Bool) {
    let isAwake = core.tick(now: now.rawValue)
    guard isAwake || isRound || machine.needsTicks else { return }
    machine.tick()
    node.schedule(self)
  }

  func step(_ message: Message) {
    guard !isInstalling else { return }
    // What there is no room for counts as lost on the way: the leader sends it again, at its pace. And who can't
    // write must not lead.
    if message.kind == .append, machine.isSaturated || node.pipeline.isSaturated { return }
    if message.kind == .timeoutNow, node.space.isFull { return }
    let known = core.contradictions
    core.step(message, now: node.now.rawValue)
    if core.contradictions > known { noteContradiction(by: message.from) }
    node.schedule(self)
  }

  /// A leader and this replica contradict each other in what is committed. Which of the two has lost something is not known
  /// here: entries that this one has and the leader lacks show it, and a commit beyond this one's end that had matched.
  private func noteContradiction(by leader: ReplicaID) {
    if contradiction?.leader != leader {
      node.host.log(
        .error,
        "group \(group): replica \(leader), which leads, and replica \(id) contradict each other in what is committed")
    }
    contradiction = (leader, node.now)
  }

  /// What an operator should know.
  var problem: String? {
    guard let contradiction, node.now.milliseconds(since: contradiction.at) < Limits.contradictionMilliseconds else {
      return nil
    }
    return
      "\(group == .catalog ? "the catalog" : "partition \(group)"): the leader, on node \(contradiction.leader.node), and "
      + "the replica on node \(node.id) contradict each other in what is committed: one of the two has an older log, or "
      + "one that has lost its end; stop the nodes before anything is repaired, and see kv-failures(7)"
  }

  /// Proposes a command. Only a leader can.
  func propose(_ payload: [UInt8]) throws(RaftError) -> (term: Term, index: LogIndex) {
    let (term, first) = try core.propose([payload], now: node.now.rawValue)
    node.schedule(self)
    return (term, first)
  }

  func propose(membership change: MembershipChange) throws(RaftError) {
    _ = try core.propose(membership: change, now: node.now.rawValue)
    node.schedule(self)
  }

  func transferLeadership(to target: ReplicaID) {
    // A refusal means that a transfer is under way or that the target can't lead: the next tick decides again.
    try? core.transferLeadership(to: target, now: node.now.rawValue)
    node.schedule(self)
  }

  /// Calls back with true once a read from the machine's present or later state is linearizable as of now: at once
  /// under a lease, else after a round of heartbeats; with false when leadership was lost.
  func confirmLeadership(_ done: @escaping (Bool) -> Void) {
    let now = node.now.rawValue
    guard core.isLeader, !isInstalling else { return done(false) }
    if leads, core.leaseHolds(now: now) { return done(true) }
    guard let context = reads.join(done) else { return }
    do {
      try core.readIndex(context: context, now: now)
    } catch {
      reads.reject(context)
    }
    node.schedule(self)
  }

  /// The node has taken it out, and its log is void.
  func end() { isEnded = true }

  // MARK: Draining

  /// Takes everything out of the core that is ready, and acts on it.
  func drain() {
    guard !isEnded else { return }
    reads.close()
    var hasActed = applyCommitted()
    if hasActed { reads.release(applied: applied.index) }
    while let ready = core.nextReady() {
      hasActed = true
      node.send(ready.immediate, group: group)
      persist(ready)
      if let header = ready.snapshot { install(header) }
      committed.append(contentsOf: ready.committed)
      applyCommitted()
      for state in ready.readStates { reads.confirmed(state.context, index: state.index) }
      for context in ready.rejectedReads { reads.reject(context) }
      if ready.roleChange { noticeRole() }
      reads.release(applied: applied.index)
    }
    guard hasActed else { return }
    node.transfers.dropUnwanted(group: group)
    machine.caughtUp()
  }

  /// The machine can take the next entry in.
  func resume() { node.schedule(self) }

  /// Applies what is committed, as far as the machine is ready for it; says whether that was anything.
  @discardableResult
  private func applyCommitted() -> Bool {
    let start = nextToApply
    while nextToApply < committed.count, machine.isReady(for: committed[nextToApply]) {
      apply(committed[nextToApply])
      nextToApply += 1
    }
    guard nextToApply > start else { return false }
    core.applied(to: committed[nextToApply - 1].index)
    if nextToApply == committed.count {
      committed.removeAll(keepingCapacity: true)
      nextToApply = 0
    }
    return true
  }

  private func persist(_ ready: Ready) {
    if let write = logWrite(for: ready) {
      held.append((ready.ticket, ready.afterPersist))
      node.pipeline.append(write, for: self, ticket: ready.ticket, mustSync: true)
    } else if held.isEmpty {
      node.send(ready.afterPersist, group: group)
    } else {
      // It writes nothing: what it waits for is the write before.
      held[held.endIndex - 1].messages += ready.afterPersist
    }
  }

  private func logWrite(for ready: Ready) -> LogWrite? {
    ready.hardState.map { logWrite($0, ready.entries) }
  }

  private func logWrite(_ state: HardState, _ entries: [LogEntry]) -> LogWrite {
    var write = LogWrite(group: group)
    write.hardState = StoredHardState(term: state.term, vote: state.vote, commit: state.commit)
    write.entries = entries
    return write
  }

  /// The log holds everything up to a ticket: the core may count it, and what waited for it leaves.
  func persisted(ticket: UInt64) {
    guard !isEnded else { return }
    core.persisted(ticket: ticket, now: node.now.rawValue)
    while let first = held.first, first.ticket <= ticket {
      node.send(first.messages, group: group)
      held.removeFirst()
    }
    node.schedule(self)
  }

  private func apply(_ entry: LogEntry) {
    applied = (entry.index, entry.term)
    node.onApply?(group, entry)
    switch entry.kind {
    case .command:
      machine.apply(entry)
    case .membership:
      guard let change = try? MembershipChange(payload: entry.payload) else {
        return node.host.fatal(
          "group \(group): entry \(entry.index) holds no membership change that this release knows")
      }
      _ = core.apply(membership: change, at: entry.index, now: node.now.rawValue)
      machine.apply(LogEntry(term: entry.term, index: entry.index, payload: []))
      machine.membershipChanged()
    }
  }

  private func noticeRole() {
    let role = (isLeader: core.isLeader, term: core.term)
    if role != knownRole {
      knownRole = role
      if role.isLeader { node.counters.electionsWon += 1 }
      machine.roleChanged()
    }
    if core.leader != knownLeader {
      knownLeader = core.leader
      if knownLeader != .none { node.router.leaderChanged(of: group, to: knownLeader.node) }
    }
  }

  // MARK: Snapshots

  private func install(_ header: SnapshotHeader) {
    guard let received = node.transfers.takeReceived(group: group, header: header) else {
      return core.installFailed(snapshot: header, now: node.now.rawValue)
    }
    isInstalling = true
    machine.install(received) { [self] installed in
      guard !isEnded else { return }
      isInstalling = false
      guard installed else {
        core.installFailed(snapshot: header, now: node.now.rawValue)
        return node.schedule(self)
      }
      applied = (header.index, header.term)
      var write = LogWrite(group: group)
      write.reset = LogPoint(index: header.index, term: header.term)
      node.pipeline.append(write, for: nil, ticket: 0, mustSync: true)
      core.installed(snapshot: header, now: node.now.rawValue)
      machine.membershipChanged()
      node.schedule(self)
    }
  }

  /// The log can't let old segments go for the sake of this group: what it has in the log is flushed, and forgotten. A
  /// follower that still lacks it gets the whole state.
  func release() {
    if releasing == nil {
      releasing = applied.index
      flushed(through: machine.flushedIndex)
    }
    machine.flush()
  }

  /// What the log has of this group is damaged on the disk: it is flushed as far as it is applied, and then the rest, which
  /// may never be, written anew. To be called again until the log needs nothing more of what is damaged.
  func renewLog() {
    guard !isInstalling else { return }
    release()
    guard machine.flushedIndex >= applied.index else { return }
    let (state, entries) = core.remembered
    // What is so much waits until it is applied.
    guard entries.reduce(0, { $0 + $1.encodedBytes }) <= Limits.renewedLogBytes.rawValue else { return }
    var write = logWrite(state, entries)
    write.compactedThrough = core.firstIndex.previous
    write.isRepetition = true
    node.pipeline.append(write, for: nil, ticket: 0, mustSync: true)
  }

  /// The machine holds everything up to `index` in files of its own: the log before it may go, but for what a
  /// follower that is nearly there still needs.
  func flushed(through index: LogIndex) {
    let point = releasing == nil ? core.compactionIndex(flushed: index) : min(index, applied.index)
    if let releasing, index >= releasing { self.releasing = nil }
    // Else each write of a log that waits for this group would bring the next one.
    guard point >= core.firstIndex else { return }
    core.compact(through: point)
    node.pipeline.append(LogWrite(group: group, compactedThrough: point), for: nil, ticket: 0, mustSync: false)
  }
}
