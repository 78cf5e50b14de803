public import Bytes

/// A write handed out and not yet durable.
struct Ticket: Sendable {
  let number: UInt64
  let term: Term
  let vote: ReplicaID
  /// Once it is durable, so is the log up to here.
  var upTo: LogIndex
  /// When it was handed out.
  let handedAt: UInt64
}

extension RaftCore {
  /// Whether `ready()` has anything to hand out.
  public var hasReady: Bool {
    replicationDue || handed < log.lastIndex || hasNewVote || writesCommit || !outbox.isEmpty
      || !outboxAfterPersist.isEmpty || hasCommitted || !readStates.isEmpty || !rejectedReads.isEmpty || roleChanged
      || canStartRound || canInstall
  }

  /// `ready()` if there is anything to do.
  public mutating func nextReady() -> Ready? { hasReady ? ready() : nil }

  /// Takes out everything to be done. The core regards it as under way from here on.
  public mutating func ready() -> Ready {
    if role == .leader {
      startRound()
      if replicationDue { replicate() }
    }
    replicationDue = false
    lastTicket += 1
    let (hardState, entries) = takeWrites()
    var immediate = take(&outbox)
    var afterPersist = take(&outboxAfterPersist)
    if tickets.isEmpty {
      // Nothing to wait for.
      immediate.append(contentsOf: afterPersist)
      afterPersist = []
    }
    defer { roleChanged = false }
    // Made in one go: parts that are filled in one by one have the whole copied in the end.
    return Ready(
      ticket: lastTicket, hardState: hardState, entries: entries, immediate: immediate, afterPersist: afterPersist,
      committed: takeCommitted(), readStates: take(&readStates), rejectedReads: take(&rejectedReads),
      snapshot: takeSnapshot(), roleChange: roleChanged)
  }

  private mutating func takeWrites() -> (HardState?, [LogEntry]) {
    let last = log.lastIndex
    let entries = log.slice(from: handed.next, through: last)
    handed = last
    guard !entries.isEmpty || hasNewVote || writesCommit else { return (nil, []) }
    writesCommit = false
    // The commit index goes with every write: a replica that has an entry must know, even after a crash, what was
    // committed when the leader sent it, for it may not campaign while older membership changes are unapplied. Alone it
    // is worth no write, for who has forgotten it hears of it again; but where it covers a change of the membership it
    // is: should all forget it, the group would need a majority of members that it no longer has.
    handedVote = (term, hardState.vote)
    tickets.append(Ticket(number: lastTicket, term: term, vote: hardState.vote, upTo: last, handedAt: clock))
    return (hardState, entries)
  }

  /// Whether term or vote changed since they were last handed out to be written.
  private var hasNewVote: Bool { handedVote != (term, hardState.vote) }

  /// Whether a snapshot may be handed out: not while entries before it are being applied.
  private var canInstall: Bool { applied == applying && !arrivedSnapshotIsHanded && hasArrivedSnapshot }

  private var hasCommitted: Bool { applying < min(commit, stable) && !hasArrivedSnapshot }

  /// Asked for at every turn: a comparison with nil would copy the snapshot's header.
  private var hasArrivedSnapshot: Bool { if case .some = arrivedSnapshot { true } else { false } }

  /// Only what is durable here is applied, lest a crash leave the state machine ahead of the log.
  private mutating func takeCommitted() -> [LogEntry] {
    guard hasCommitted else { return [] }
    let entries = log.slice(from: applying.next, through: min(commit, stable), maxBytes: options.maxApplyBytes)
    applying = entries.last?.index ?? applying
    return entries
  }

  private mutating func takeSnapshot() -> SnapshotHeader? {
    guard canInstall else { return nil }
    arrivedSnapshotIsHanded = true
    return arrivedSnapshot
  }

  /// All writes of the `Ready` with this ticket, and of all before it, are durable. Its `afterPersist` may leave.
  public mutating func persisted(ticket: UInt64, now: UInt64) {
    observe(now)
    precondition(ticket <= lastTicket, "a ticket that was not handed out")
    var done = 0
    while done < tickets.count, tickets[done].number <= ticket {
      durable = (tickets[done].term, tickets[done].vote)
      stable = max(stable, tickets[done].upTo)
      done += 1
    }
    guard done > 0 else { return }
    tickets.removeFirst(done)
    if role == .leader { countOwnLog() }
    if role == .candidate, durable == (term, id) { recordVote(of: id, granted: true) }
  }

  /// The entries up to `index`, handed out by `ready()`, are applied.
  public mutating func applied(to index: LogIndex) {
    precondition(index <= applying, "an entry that was not handed out to be applied")
    applied = max(applied, index)
    leaveJointIfDue()
  }

  /// Forgets the entries up to `index`, which must be applied, and durable in a snapshot or in the state machine.
  /// Peers that still need them get a snapshot.
  public mutating func compact(through index: LogIndex) {
    precondition(index <= applied, "an entry that is not applied can't be forgotten")
    log.compact(through: index)
  }

  /// The first entry in memory; `entry(at:)` gives it and those after it.
  public var firstIndex: LogIndex { log.firstIndex }

  /// An entry of the log; nil where it is forgotten or not there yet.
  public func entry(at index: LogIndex) -> LogEntry? { log.entry(at: index) }

  /// What the log on the disk must hold of this replica, or soon will: the hard state, and all entries that are not
  /// forgotten.
  public var remembered: (hardState: HardState, entries: [LogEntry]) {
    (hardState, log.slice(from: log.firstIndex, through: log.lastIndex))
  }

  /// How far the log may well be forgotten when the state machine is durable up to `flushed`: entries that some peer
  /// lacks are kept, up to `RaftOptions.maxLogBytes`; a follower, which can't know, keeps as much.
  public func compactionIndex(flushed: LogIndex) -> LogIndex {
    let needed = role == .leader ? peers.map(\.match).min() ?? .zero : .zero
    return max(log.base.index, min(flushed, applied, max(needed, log.index(leaving: options.maxLogBytes))))
  }
}

private func take<Element>(_ list: inout [Element]) -> [Element] {
  defer { list = [] }
  return list
}
