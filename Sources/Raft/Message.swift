public import Bytes

/// What one replica of a group says to another.
public struct Message: Equatable, Sendable {
  /// What a message is for. The raw values go over the wire and never change.
  public enum Kind: UInt8, Sendable, CaseIterable {
    /// A question whether an election could be won; changes nothing at the receiver.
    case preVote = 0
    /// The answer to `preVote`.
    case preVoteResponse = 1
    /// A request for a vote.
    case vote = 2
    /// The answer to `vote`.
    case voteResponse = 3
    /// Entries that follow (index, logTerm), and the leader's commit.
    case append = 4
    /// The answer to `append` and `snapshot`: all up to `index` is durable, or `reject` and hints.
    case appendResponse = 5
    /// The leader lives; `context` is its latest round of reads. With `quiescent` the last one until something happens.
    case heartbeat = 6
    /// The answer to `heartbeat`.
    case heartbeatResponse = 7
    /// From a core to its node: stream a snapshot to `to`. At the receiver: it has arrived whole.
    case snapshot = 8
    /// Leadership is handed over: campaign now.
    case timeoutNow = 9
    /// A follower asks the leader for a read index.
    case readIndex = 10
    /// The answer to `readIndex`.
    case readIndexResponse = 11
  }

  /// The receiver.
  public var to: ReplicaID
  /// The sender.
  public var from: ReplicaID
  /// The sender's term; in a pre-vote and the granting answer to it the term that the candidate would start.
  public var term: Term
  /// What the message is for.
  public var kind: Kind
  /// append: the entry before the first one sent. appendResponse: the last entry that matches, or the one refused.
  /// vote, preVote: the candidate's last entry. readIndexResponse: the index to wait for. heartbeatResponse that agrees
  /// to quiescence: the last entry.
  public var index: LogIndex
  /// The term of the entry at `index` (append, vote, preVote).
  public var logTerm: Term
  /// The entries of an append, in the order of their indices, the first at `index` + 1.
  public var entries: [LogEntry]
  /// How far the log is committed (append, heartbeat; vote, preVote and their refusals).
  public var commit: LogIndex
  /// Whether a response refuses.
  public var reject: Bool
  /// appendResponse that refuses: where the logs may still match. append, heartbeat: how far the leader's own log is
  /// durable.
  public var rejectHint: LogIndex
  /// The term of the follower's entry at `rejectHint`, zero if unknown. With votes the term of that at `commit`.
  public var hintTerm: Term
  /// heartbeat and its response: the round of reads. readIndex and its response: the asker's context.
  public var context: UInt64
  /// The sender's steady clock, in nanoseconds, not after the message was sent.
  public var sentAt: UInt64
  /// The receiver's own `sentAt` that this message answers to, zero if none. Leases and transfers count from it.
  public var echo: UInt64
  /// The snapshot to stream or that arrived (snapshot).
  @inlinable public var snapshot: SnapshotHeader? {
    get { aside.snapshot }
    set { aside = Aside(newValue) }
  }
  /// Few messages have a snapshot: beside the message, it makes the others small to copy.
  @usableFromInline var aside: Aside
  /// A vote asked for on behalf of the leader, which gave its lease up for it.
  public var forced: Bool
  /// heartbeat: pulses may stand for those to come. heartbeatResponse: they do, from here on.
  public var quiescent: Bool

  /// A message of these parts. Inlinable, so that each is built where it is to be.
  @inlinable public init(
    kind: Kind, from: ReplicaID, to: ReplicaID, term: Term, index: LogIndex = .zero, logTerm: Term = .zero,
    entries: [LogEntry] = [], commit: LogIndex = .zero, reject: Bool = false, rejectHint: LogIndex = .zero,
    hintTerm: Term = .zero, context: UInt64 = 0, sentAt: UInt64 = 0, echo: UInt64 = 0,
    snapshot: SnapshotHeader? = nil, forced: Bool = false, quiescent: Bool = false
  ) {
    self.kind = kind
    self.from = from
    self.to = to
    self.term = term
    self.index = index
    self.logTerm = logTerm
    self.entries = entries
    self.commit = commit
    self.reject = reject
    self.rejectHint = rejectHint
    self.hintTerm = hintTerm
    self.context = context
    self.sentAt = sentAt
    self.echo = echo
    aside = Aside(snapshot)
    self.forced = forced
    self.quiescent = quiescent
  }
}

extension Message {
  /// A part of a message in memory of its own, if it has it.
  @usableFromInline indirect enum Aside: Equatable, Sendable {
    case nothing
    case header(SnapshotHeader)

    @inlinable init(_ snapshot: SnapshotHeader?) {
      self = snapshot.map { .header($0) } ?? .nothing
    }

    @inlinable var snapshot: SnapshotHeader? {
      if case .header(let snapshot) = self { snapshot } else { nil }
    }
  }

  /// Whether leadership hangs on it: it must not wait behind entries.
  public var isUrgent: Bool {
    switch kind {
    case .append, .appendResponse, .snapshot: false
    case .preVote, .preVoteResponse, .vote, .voteResponse, .heartbeat, .heartbeatResponse, .timeoutNow, .readIndex,
      .readIndexResponse:
      true
    }
  }

  /// Terms and indices from outside stop here, far from where arithmetic on them could overflow.
  static let highestOrdinal: UInt64 = 1 << 62

  /// Whether any correct replica could have sent it. What fails this is dropped, whoever sent it.
  var isWellFormed: Bool {
    guard from != .none, term > .zero else { return false }
    for ordinal in [term.rawValue, logTerm.rawValue, hintTerm.rawValue, index.rawValue, commit.rawValue]
    where ordinal > Message.highestOrdinal { return false }
    guard rejectHint.rawValue <= Message.highestOrdinal else { return false }
    guard (kind == .snapshot) == (snapshot != nil) else { return false }
    if let snapshot {
      return snapshot.index > .zero && snapshot.index.rawValue <= Message.highestOrdinal
        && snapshot.term > .zero && snapshot.term <= term && entries.isEmpty
    }
    guard kind == .append else { return entries.isEmpty }
    var last = index
    var lastTerm = logTerm
    for entry in entries {
      guard entry.index == last.next, entry.term >= lastTerm, entry.term > .zero else { return false }
      last = entry.index
      lastTerm = entry.term
    }
    return lastTerm <= term && (index == .zero) == (logTerm == .zero)
  }
}
