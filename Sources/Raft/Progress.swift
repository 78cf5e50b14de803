import Bytes

/// What a leader knows of one member, itself included, and how it sends the log there. Elsewhere only the roles and
/// the votes are used.
struct Progress: Sendable {
  enum State: Sendable {
    /// One append at a time, until one is accepted: `next` is a guess.
    case probe
    /// Entries are sent ahead of the answers: `next` follows the last one sent.
    case replicate
    /// The peer needs entries that are compacted; nothing is sent until a snapshot has arrived.
    case snapshot
  }

  let id: ReplicaID
  var isVoter = false
  var isOutgoing = false

  /// The peer's answer to a (pre-)vote.
  var vote: Bool?

  /// The log is the leader's, durably, up to here. Invariant: match < next.
  var match = LogIndex.zero
  var next = LogIndex(rawValue: 1)
  var state = State.probe
  /// The highest commit index sent.
  var sentCommit = LogIndex.zero
  /// In state `snapshot`: the index that it was asked for.
  var pendingSnapshot = LogIndex.zero
  /// Sending waits for an answer or for a heartbeat's.
  var isPaused = false
  /// An append is due even if it has no entries.
  var owesAppend = false
  var inflights = Inflights()

  /// When the peer was last heard from, on this clock.
  var lastActive: UInt64 = 0
  /// When the latest of our messages that it answered was sent, on this clock.
  var ackedSentAt: UInt64 = 0
  /// The latest time on its own clock that it told.
  var peerClock: UInt64 = 0
  /// The latest round of reads that it confirmed.
  var ackedRound: UInt64 = 0
  /// Since when pulses stand for heartbeats to it; nil: they don't.
  var quiescentSince: UInt64?

  init(id: ReplicaID) {
    self.id = id
  }

  /// Starts over for a new term, knowing nothing but that the log may match up to before `next`.
  mutating func reset(next: LogIndex, now: UInt64) {
    let fresh = (isVoter, isOutgoing, vote)
    self = Progress(id: id)
    (isVoter, isOutgoing, vote) = fresh
    self.next = next
    lastActive = now
    owesAppend = true
  }

  mutating func becomeProbe() {
    next = max(match, state == .snapshot ? pendingSnapshot : .zero).next
    enter(.probe)
    sentCommit = min(sentCommit, next.previous)
  }

  mutating func becomeReplicate() {
    enter(.replicate)
    next = match.next
  }

  mutating func becomeSnapshot(_ index: LogIndex) {
    enter(.snapshot)
    pendingSnapshot = index
    next = index.next
    sentCommit = index
  }

  private mutating func enter(_ state: State) {
    self.state = state
    quiescentSince = nil
    isPaused = false
    pendingSnapshot = .zero
    inflights.removeAll()
  }

  /// Notes an append of entries up to `last` (nil: none).
  mutating func sent(last: LogIndex?, bytes: Int, commit: LogIndex, options: RaftOptions) {
    sentCommit = commit
    quiescentSince = nil
    switch state {
    case .probe:
      isPaused = true
    case .replicate:
      if let last {
        next = last.next
        inflights.add(last: last, bytes: bytes)
      }
      isPaused = inflights.isFull(options)
    case .snapshot:
      preconditionFailure("nothing is sent while a snapshot is on its way")
    }
  }

  /// Whether telling the commit index could move the peer's own.
  func needsCommit(_ commit: LogIndex) -> Bool {
    commit > sentCommit && sentCommit < next.previous
  }

  /// The peer's log matches up to `index`; false if that was known.
  mutating func matched(_ index: LogIndex) -> Bool {
    guard index > match else { return false }
    match = index
    next = max(next, index.next)
    isPaused = false
    return true
  }

  /// The peer refused an append after `rejected`, and its log may match up to `hint`; false if that is old news.
  mutating func rejected(_ rejected: LogIndex, hint: LogIndex) -> Bool {
    switch state {
    case .snapshot:
      return false
    case .replicate:
      guard rejected > match else { return false }
      becomeProbe()
    case .probe:
      // What it acknowledged and now denies is late news, or lost for good; asking again at once helps with neither.
      guard rejected == next.previous, rejected > match else { return false }
      next = max(min(rejected, hint.next), match.next)
      sentCommit = min(sentCommit, next.previous)
      isPaused = false
    }
    return true
  }
}

extension [Progress] {
  /// The highest value that a majority of the voters has reached, and while joint one of the outgoing voters too.
  /// Quadratic in a handful of voters, and free of allocation.
  func quorum(_ value: (borrowing Progress) -> UInt64) -> UInt64 {
    Swift.min(
      majority(value, of: \.isVoter, none: 0),
      majority(value, of: \.isOutgoing, none: .max))
  }

  private func majority(
    _ value: (borrowing Progress) -> UInt64, of isCounted: (borrowing Progress) -> Bool, none: UInt64
  ) -> UInt64 {
    var members = 0
    for i in indices where isCounted(self[i]) { members += 1 }
    guard members > 0 else { return none }
    var best: UInt64 = 0
    for i in indices where isCounted(self[i]) {
      let candidate = value(self[i])
      guard candidate > best else { continue }
      var reached = 0
      for j in indices where isCounted(self[j]) && value(self[j]) >= candidate { reached += 1 }
      if reached > members / 2 { best = candidate }
    }
    return best
  }

  /// The outcome of the votes so far: nil while it is open.
  var electionOutcome: Bool? {
    if quorum({ $0.vote == true ? 1 : 0 }) == 1 { return true }
    return quorum({ $0.vote == false ? 0 : 1 }) == 0 ? false : nil
  }
}
