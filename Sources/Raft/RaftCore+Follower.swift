import Bytes

extension RaftCore {
  mutating func handleAppend(_ append: Message) {
    // The log is about to be replaced; what is appended meanwhile would have to be undone.
    guard arrivedSnapshot == nil else { return }
    var index = append.index
    var hint: (index: LogIndex, term: Term?)?
    if append.index < commit {
      // Old news: what is committed matches the log of every leader. To say so of another log would make two pasts one.
      guard agrees(with: append) else { return contradict() }
      index = commit
    } else if log.matches(append.index, append.logTerm) {
      guard store(append.entries) else { return }
      index = append.index + append.entries.count
      advanceCommit(to: min(append.commit, index))
    } else {
      // Everything of ours above the leader's term at that index can't match: skip it (§5.3, and etcd's
      // refinement of it).
      hint = log.lastPossibleMatch(index: min(append.index, log.lastIndex), term: append.logTerm)
    }
    outboxAfterPersist.append(
      Message(
        kind: .appendResponse, from: id, to: append.from, term: term, index: index, reject: hint != nil,
        rejectHint: hint?.index ?? .zero, hintTerm: hint?.term ?? .zero, sentAt: clock, echo: append.sentAt))
  }

  private mutating func contradict() {
    violations += 1
    contradictions += 1
  }

  /// Whether the committed entries that are still in memory are those of an append.
  private func agrees(with append: Message) -> Bool {
    func isOurs(_ index: LogIndex, _ term: Term) -> Bool {
      index > commit || log.term(at: index).map { $0 == term } ?? true
    }
    return isOurs(append.index, append.logTerm) && append.entries.allSatisfy { isOurs($0.index, $0.term) }
  }

  /// Appends the entries that are new, in place of those that conflict. False if that would undo committed ones:
  /// then someone's log is damaged, and nothing is touched.
  private mutating func store(_ entries: [LogEntry]) -> Bool {
    guard let new = entries.firstIndex(where: { !log.matches($0.index, $0.term) }) else { return true }
    let first = entries[new].index
    guard first > commit else {
      contradict()
      return false
    }
    if first <= log.lastIndex { truncate(from: first) }
    for entry in entries[new...] { log.append(entry) }
    return true
  }

  /// Removes entries that were never committed. A write of them that is still under way counts only up to there when
  /// it ends, even if by then entries with their very terms are back at these indices.
  private mutating func truncate(from index: LogIndex) {
    log.truncate(from: index)
    let last = index.previous
    stable = min(stable, last)
    handed = min(handed, last)
    for i in tickets.indices { tickets[i].upTo = min(tickets[i].upTo, last) }
  }

  mutating func handleHeartbeat(_ heartbeat: Message) {
    if arrivedSnapshot == nil {
      // A leader tells no more than it knows to match; where our log is shorter it has lost entries.
      if heartbeat.commit <= log.lastIndex { advanceCommit(to: heartbeat.commit) } else { contradict() }
    }
    var response = message(.heartbeatResponse, to: heartbeat.from)
    response.context = heartbeat.context
    response.echo = heartbeat.sentAt
    if heartbeat.quiescent, quiesce(at: heartbeat.commit) {
      response.quiescent = true
      response.index = log.lastIndex
    }
    // The answer is a promise, and a restarted replica remembers promises by having a term.
    if durable.term == term { outbox.append(response) } else { outboxAfterPersist.append(response) }
  }

  mutating func handleSnapshot(_ message: Message) {
    guard let header = message.snapshot, !arrivedSnapshotIsHanded else { return }
    guard header.membership.contains(id) else {
      violations += 1
      return
    }
    if header.index <= commit {
      acknowledge(commit, to: message.from)
    } else if log.matches(header.index, header.term) {
      advanceCommit(to: header.index)
      acknowledge(commit, to: message.from)
    } else {
      arrivedSnapshot = header
    }
  }

  func acknowledgement(of index: LogIndex, to peer: ReplicaID) -> Message {
    var response = message(.appendResponse, to: peer)
    response.index = index
    return response
  }

  mutating func acknowledge(_ index: LogIndex, to peer: ReplicaID) {
    outboxAfterPersist.append(acknowledgement(of: index, to: peer))
  }

  mutating func advanceCommit(to index: LogIndex) {
    hardState.commit = max(commit, index)
  }
}

extension RaftCore {
  /// The snapshot that `Ready.snapshot` handed out is durably installed: the log starts anew after it.
  public mutating func installed(snapshot: SnapshotHeader, now: UInt64) {
    observe(now)
    precondition(arrivedSnapshot == snapshot && arrivedSnapshotIsHanded, "no such snapshot was handed out")
    arrivedSnapshot = nil
    arrivedSnapshotIsHanded = false
    log.reset(to: (snapshot.index, snapshot.term))
    stable = snapshot.index
    handed = snapshot.index
    applied = snapshot.index
    applying = snapshot.index
    hardState.commit = snapshot.index
    for i in tickets.indices { tickets[i].upTo = .zero }
    members = snapshot.membership
    updatePeers()
    if leader != .none { acknowledge(snapshot.index, to: leader) }
  }

  /// The snapshot that `Ready.snapshot` handed out could not be installed and left no trace: the replica goes on as
  /// if it had not arrived.
  public mutating func installFailed(snapshot: SnapshotHeader, now: UInt64) {
    observe(now)
    precondition(arrivedSnapshot == snapshot && arrivedSnapshotIsHanded, "no such snapshot was handed out")
    arrivedSnapshot = nil
    arrivedSnapshotIsHanded = false
  }
}
