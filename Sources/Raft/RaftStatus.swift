public import Bytes

/// What a replica is within its group.
public enum Role: UInt8, Sendable {
  /// Follows a leader, or waits for one.
  case follower
  /// Asks whether it could win an election.
  case preCandidate
  /// Asks for votes.
  case candidate
  /// Orders the log.
  case leader
}

/// A look at a core, for operators and tests.
public struct RaftStatus: Equatable, Sendable {
  /// How a leader sends the log to one peer.
  public enum Flow: Equatable, Sendable {
    /// Finding out where the logs match, one append at a time.
    case probe
    /// Streaming entries ahead of the answers.
    case replicate
    /// Waiting for a snapshot, taken at this index, to arrive.
    case snapshot(LogIndex)
  }

  /// What a leader knows of one member.
  public struct Peer: Equatable, Sendable {
    /// The member.
    public let id: ReplicaID
    /// Its log is known to match the leader's, durably, up to here.
    public let match: LogIndex
    /// The next entry that it will be sent.
    public let next: LogIndex
    /// How it is sent the log.
    public let flow: Flow
    /// Whether it was heard from within an election timeout.
    public let recentlyActive: Bool
    /// For how long it was not heard from, in nanoseconds; 0: this replica itself.
    public let silence: UInt64
    /// Appends sent and not answered.
    public let inflight: Int
    /// Whether sending waits for an answer.
    public let paused: Bool
  }

  /// This replica.
  public let id: ReplicaID
  /// Its role.
  public let role: Role
  /// Its term.
  public let term: Term
  /// The leader that it knows, else `ReplicaID.none`.
  public let leader: ReplicaID
  /// How far the log is known to be committed.
  public let commit: LogIndex
  /// How far it is applied.
  public let applied: LogIndex
  /// How far it is durable here.
  public let durable: LogIndex
  /// The first entry still in memory.
  public let firstIndex: LogIndex
  /// The last entry.
  public let lastIndex: LogIndex
  /// The bytes of the entries in memory.
  public let logBytes: Int
  /// The membership that is applied.
  public let membership: Membership
  /// Every member as the leader sees it; empty elsewhere.
  public let peers: [Peer]
  /// To whom leadership is being handed over, else `ReplicaID.none`.
  public let transferTarget: ReplicaID
  /// Messages dropped because no correct replica could have sent them.
  public let violations: UInt64
}

extension RaftStatus {
  /// Of a leader: the voters that lack entries which its log no longer has, and so need its whole state. Of one that has
  /// not answered since the election that is not known.
  public var votersWithoutState: [ReplicaID] {
    peers.filter { peer in
      guard membership.isVoter(peer.id) else { return false }
      if case .snapshot = peer.flow { return true }
      return peer.match > .zero && peer.match.next < firstIndex
    }.map(\.id)
  }
}
