public import Bytes

/// One replica of one Raft group (Ongaro and Ousterhout, "In search of an understandable consensus algorithm", 2014;
/// Ongaro's thesis for pre-vote, membership changes, transfers and reads).
///
/// A pure state machine: it has no clock, no file and no socket. Its owner calls it with messages, ticks and
/// requests, each with the time read from the node's steady clock *after* the input arrived, and does what `ready()`
/// hands out. kv-raft(7) is the contract between the two. Not thread-safe: it belongs to one event loop.
public struct RaftCore: Sendable {
  /// This replica.
  public let id: ReplicaID
  /// The timing and bounds that it runs with.
  public let options: RaftOptions

  // Time and chance.
  /// The latest time given; it never goes back.
  var clock: UInt64
  var random: SplitMix64

  // What is durable, or will be once the tickets handed out are.
  @usableFromInline var hardState: HardState
  var handedVote: (term: Term, vote: ReplicaID)
  /// The term and vote that are durable.
  var durable: (term: Term, vote: ReplicaID)
  var log: LogTail
  /// The last entry that is durable here.
  var stable: LogIndex
  /// The last entry handed out to be written.
  var handed: LogIndex
  /// The last entry that is applied.
  public internal(set) var applied: LogIndex
  /// The last entry handed out to be.
  var applying: LogIndex
  /// The writes handed out and not yet durable, oldest first.
  var tickets: [Ticket] = []
  var lastTicket: UInt64 = 0

  // Role.
  @usableFromInline var role = Role.follower
  /// The leader of the term as far as it is known, else `ReplicaID.none`.
  public internal(set) var leader = ReplicaID.none
  @usableFromInline var members: Membership
  /// What is known of each member, by id.
  var peers: [Progress] = []
  /// When an election starts unless a leader is heard from.
  var electionDeadline: UInt64 = 0
  /// Until when no vote is given but to the leader's own choice: an election timeout after a leader was heard from.
  var promisedUntil: UInt64
  /// When a candidacy on behalf of the leader ends without fail; nil in any other.
  var forcedUntil: UInt64?

  // As a leader.
  /// The empty entry by which this term began.
  var termStart = LogIndex.zero
  var nextHeartbeat: UInt64 = 0
  var uncommittedBytes = 0
  /// A membership change may be in the log up to here.
  var pendingChange = LogIndex.zero
  /// Once that change is applied elsewhere, another replica may decide alone.
  var pendingChangeUnseats = false
  var transfer: Transfer?
  /// No lease before this time: a candidacy that we asked for may still be under way.
  var leaseBlockedUntil: UInt64 = 0
  /// Reads that wait for the next round, and those that wait for the answers to one, oldest first.
  var waitingReads: [PendingRead] = []
  var readRounds: [ReadRound] = []
  var readCount = 0
  var lastRound: UInt64 = 0
  /// From when on the group counts as idle, unless something happens.
  var idleFrom: UInt64 = 0

  // As a follower.
  /// Pulses stand for the leader's heartbeats, as long as one comes before this; nil: they don't.
  @usableFromInline var quiescentUntil: UInt64?
  /// How far the leader's own log is durable, by its word.
  var leaderDurable = LogIndex.zero
  /// A snapshot that arrived and is not installed yet.
  var arrivedSnapshot: SnapshotHeader?
  var arrivedSnapshotIsHanded = false

  // What the next `Ready` hands out.
  var outbox: [Message] = []
  /// Messages that may only leave when all writes asked for so far are durable.
  var outboxAfterPersist: [Message] = []
  var readStates: [ReadState] = []
  var rejectedReads: [UInt64] = []
  var roleChanged = false
  /// The commit index is to be written, even if nothing else is: it covers a change of the membership.
  var writesCommit = false
  /// Appends may be due.
  var replicationDue = false
  /// Peers are to be told the commit index even where no entry is due to them.
  var commitDue = false
  var violations: UInt64 = 0
  /// How many messages of leaders contradicted what this replica knows to be committed: the log of one of the two is an
  /// older one, or has lost its end. Those messages were dropped.
  public internal(set) var contradictions: UInt64 = 0
  /// What the others promised while this replica had another part than now.
  var promises: [ReplicaID: Promise] = [:]

  /// A replica as it was left: its hard state and its log after the last compacted entry, all durable; `applied` is
  /// how far the state machine is, and `membership` what was in force there. It keeps the promise that it may have
  /// given to a leader before a restart: unless it is alone or has never seen a term, it gives no vote for one
  /// election timeout after `now`.
  public init(
    id: ReplicaID, options: RaftOptions, hardState: HardState, membership: Membership,
    compacted: (index: LogIndex, term: Term), entries: [LogEntry], applied: LogIndex, seed: UInt64, now: UInt64
  ) {
    precondition(id != .none && options.isValid, "a replica needs an id and sensible options")
    self.id = id
    self.options = options
    clock = now
    random = SplitMix64(seed: seed)
    log = LogTail(base: compacted, entries: entries)
    let last = log.lastIndex
    precondition(applied >= compacted.index && applied <= last, "applied lies outside of the log")
    self.hardState = hardState
    // A commit index is written without a sync and may be missing or, after a torn write, ahead of the entries.
    self.hardState.commit = max(applied, min(hardState.commit, last))
    if log.lastTerm > hardState.term {
      // A new group, or a vote that is lost: none is given in that term any more.
      self.hardState.term = log.lastTerm
      self.hardState.vote = id
    }
    handedVote = (self.hardState.term, self.hardState.vote)
    durable = handedVote
    stable = last
    handed = last
    self.applied = applied
    applying = applied
    members = membership
    promisedUntil = hardState.term == .zero ? now : now + options.electionTimeout
    updatePeers()
    resetElectionDeadline()
    if members.isSoleVoter(id) {
      promisedUntil = now
      electionDeadline = now
      startCampaign()
    }
  }
}

extension RaftCore {
  // Inlinable, so that a glance doesn't copy the core.

  /// Whether this replica is the leader of its term (a newer one may exist).
  @inlinable public var isLeader: Bool { role == .leader }
  /// The current term.
  @inlinable public var term: Term { hardState.term }
  /// The membership that is applied.
  @inlinable public var membership: Membership { members }
  /// How far the log is known to be committed.
  @inlinable public var commit: LogIndex { hardState.commit }
  /// The last entry of the log, committed or not, durable or not.
  public var lastIndex: LogIndex { log.lastIndex }
  /// Whether an entry of the leader's own term is committed: from then on `commit` covers all that any leader before
  /// has acknowledged.
  public var hasCommittedInTerm: Bool { role == .leader && commit >= termStart }

  /// A look at everything, for operators and tests.
  public var status: RaftStatus {
    RaftStatus(
      id: id, role: role, term: term, leader: leader, commit: commit, applied: applied, durable: stable,
      firstIndex: log.firstIndex, lastIndex: log.lastIndex, logBytes: log.bytes, membership: members,
      peers: role == .leader ? peers.map(describe) : [], transferTarget: transfer?.target ?? .none,
      violations: violations)
  }

  private func describe(_ peer: Progress) -> RaftStatus.Peer {
    let flow: RaftStatus.Flow =
      switch peer.state {
      case .probe: .probe
      case .replicate: .replicate
      case .snapshot: .snapshot(peer.pendingSnapshot)
      }
    return RaftStatus.Peer(
      id: peer.id, match: peer.match, next: peer.next, flow: flow, recentlyActive: isRecent(peer),
      silence: peer.id == id ? 0 : clock - peer.lastActive,
      inflight: peer.inflights.count, paused: peer.isPaused || peer.state == .snapshot)
  }

  func isRecent(_ peer: borrowing Progress) -> Bool {
    peer.id == id || clock - peer.lastActive < options.electionTimeout
  }

  func position(of peer: ReplicaID) -> Int? {
    peers.firstIndex { $0.id == peer }
  }

  /// Takes over the caller's time; one that goes back is not believed.
  mutating func observe(_ now: UInt64) {
    clock = max(clock, now)
  }

  /// A message from this replica in its term. Always inlined, for a call copies the core.
  @inline(__always)
  func message(_ kind: Message.Kind, to: ReplicaID) -> Message {
    Message(kind: kind, from: id, to: to, term: term, sentAt: clock)
  }
}
