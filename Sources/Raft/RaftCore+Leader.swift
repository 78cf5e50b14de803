import Bytes

extension RaftCore {
  mutating func becomeLeader() {
    changeRole(.leader, leader: id)
    let last = log.lastIndex
    for i in peers.indices { peers[i].reset(next: last.next, now: clock) }
    // Whatever the tail holds must be applied before membership may change again.
    pendingChange = last
    pendingChangeUnseats = log.hasMembershipChange(from: applied.next, through: last)
    uncommittedBytes = log.payloadBytes(from: commit.next, through: last)
    termStart = last.next
    // Entries of earlier terms are committed only behind one of our own (§5.4.2), so there is always one.
    log.append(LogEntry(term: term, index: termStart, payload: []))
    nextHeartbeat = clock + options.heartbeatInterval
    replicationDue = true
    notIdle()
    countOwnLog()
  }

  /// The leader's own log counts like any other's: as far as it is durable.
  mutating func countOwnLog() {
    guard role == .leader, let i = position(of: id) else { return }
    peers[i].next = log.lastIndex.next
    if stable > peers[i].match {
      peers[i].match = stable
      commitByQuorum()
    }
  }

  /// Commits what a quorum has, if the last of it is of this term (§5.4.2, figure 8).
  mutating func commitByQuorum() {
    let reached = LogIndex(rawValue: peers.quorum { $0.match.rawValue })
    guard role == .leader, reached > commit, reached >= termStart else { return }
    uncommittedBytes -= log.payloadBytes(from: commit.next, through: reached)
    // A change of the membership is in force where it is known to be committed: nobody is left to wait for that.
    if pendingChange > commit, pendingChange <= reached { commitDue = true }
    hardState.commit = reached
    replicationDue = true
  }

  mutating func handleAppendResponse(_ response: Message, from i: Int) {
    guard response.index <= log.lastIndex else {
      violations += 1
      return
    }
    defer { if isAppendDue(to: i) { replicationDue = true } }
    if response.reject {
      // Our entries of terms above the follower's can't be in its log: skip them on this side, too.
      var hint = min(response.rejectHint, log.lastIndex)
      if response.hintTerm > .zero { hint = log.lastPossibleMatch(index: hint, term: response.hintTerm).index }
      if peers[i].rejected(response.index, hint: hint) { peers[i].owesAppend = true }
      return
    }
    let isNews = peers[i].matched(response.index)
    if isNews { commitByQuorum() }
    switch peers[i].state {
    case .probe where isNews || peers[i].match == response.index:
      peers[i].becomeReplicate()
    case .snapshot where isNews && peers[i].match >= log.base.index:
      // Whatever brought it there, the log takes it on from here.
      peers[i].becomeReplicate()
    case .replicate where isNews:
      peers[i].inflights.free(through: response.index)
    default: break
    }
  }

  /// Whether an append may now be due to a peer that has answered.
  private func isAppendDue(to i: Int) -> Bool {
    peers[i].owesAppend || peers[i].next <= log.lastIndex || options.tellsCommitAtOnce && peers[i].needsCommit(commit)
  }

  mutating func handleHeartbeatResponse(_ response: Message, from i: Int) {
    replicationDue = true
    peers[i].isPaused = false
    // Appends may have been lost: an empty one finds out.
    if peers[i].match < log.lastIndex || peers[i].state == .probe { peers[i].owesAppend = true }
    if response.quiescent, response.index == log.lastIndex, mayQuiesce(i) { peers[i].quiescentSince = clock }
    guard response.context > peers[i].ackedRound, response.context <= lastRound else { return }
    peers[i].ackedRound = response.context
    confirmReads()
  }
}

extension RaftCore {
  /// Makes the appends that are due. Done when a `Ready` is taken, so that all proposals and answers since the last
  /// share a message. `tellingCommit`: also those that only tell how far the log is committed.
  mutating func replicate(tellingCommit: Bool = false) {
    let tellsCommit = tellingCommit || commitDue || options.tellsCommitAtOnce
    replicationDue = false
    commitDue = false
    for i in peers.indices where peers[i].id != id {
      if tellsCommit, peers[i].needsCommit(commit) { peers[i].owesAppend = true }
      while sendAppend(i) {}
    }
  }

  /// Sends one append, if one is due and may leave.
  private mutating func sendAppend(_ i: Int) -> Bool {
    guard peers[i].state != .snapshot, !peers[i].isPaused else { return false }
    let next = peers[i].next
    guard let previousTerm = log.term(at: next.previous) else {
      startSnapshot(i)
      return false
    }
    let isFull = peers[i].state == .replicate && peers[i].inflights.isFull(options)
    guard peers[i].owesAppend || (next <= log.lastIndex && !isFull) else { return false }
    let entries =
      isFull ? [] : log.slice(from: next, through: log.lastIndex, maxBytes: options.maxMessageBytes)
    var size = 0
    for entry in entries { size += entry.encodedBytes }
    peers[i].sent(last: entries.last?.index, bytes: size, commit: commit, options: options)
    peers[i].owesAppend = false
    // In one go, as the answer to it: a message that is made first and filled in afterwards is copied.
    outbox.append(
      Message(
        kind: .append, from: id, to: peers[i].id, term: term, index: next.previous, logTerm: previousTerm,
        entries: entries, commit: commit, rejectHint: stable, sentAt: clock))
    return true
  }

  /// Asks the node to stream a snapshot of what is applied to a peer that is there to receive it.
  private mutating func startSnapshot(_ i: Int) {
    guard isRecent(peers[i]), let term = log.term(at: applied) else { return }
    var request = message(.snapshot, to: peers[i].id)
    request.snapshot = SnapshotHeader(index: applied, term: term, membership: members)
    peers[i].becomeSnapshot(applied)
    peers[i].owesAppend = false
    outbox.append(request)
  }
}

extension RaftCore {
  /// Streaming a snapshot to a peer has ended. Must be called for every message of kind `snapshot` handed out.
  public mutating func reportSnapshot(to peer: ReplicaID, succeeded: Bool, now: UInt64) {
    observe(now)
    guard role == .leader, let i = position(of: peer), peers[i].state == .snapshot else { return }
    if !succeeded { peers[i].pendingSnapshot = .zero }
    peers[i].becomeProbe()
    // Its answer, or that to the next heartbeat, tells how to go on.
    peers[i].isPaused = true
    peers[i].owesAppend = true
  }

  /// A message to this peer could not be delivered: appends on their way are probably lost.
  public mutating func reportUnreachable(_ peer: ReplicaID) {
    guard role == .leader, let i = position(of: peer), peers[i].state == .replicate else { return }
    peers[i].becomeProbe()
    peers[i].owesAppend = true
    replicationDue = true
  }
}
