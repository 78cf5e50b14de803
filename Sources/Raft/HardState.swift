public import Bytes

/// What a replica must remember over a crash beside its log (Raft paper, figure 2, "persistent state").
public struct HardState: Equatable, Sendable {
  /// The latest term that the replica has seen.
  public var term: Term
  /// Whom it voted for in that term, else `ReplicaID.none`.
  public var vote: ReplicaID
  /// How far it knows the log to be committed.
  public var commit: LogIndex

  /// A hard state of these parts; without any, that of a replica that has seen nothing yet.
  public init(term: Term = .zero, vote: ReplicaID = .none, commit: LogIndex = .zero) {
    self.term = term
    self.vote = vote
    self.commit = commit
  }
}

/// What a snapshot stands for: the state of the machine after the entry at `index`, and who was a member then.
public struct SnapshotHeader: Equatable, Sendable {
  /// The last entry that the snapshot includes.
  public let index: LogIndex
  /// The term of that entry.
  public let term: Term
  /// The membership after that entry.
  public let membership: Membership

  /// A header of these parts.
  public init(index: LogIndex, term: Term, membership: Membership) {
    self.index = index
    self.term = term
    self.membership = membership
  }

  /// Appends the header: index u64, term u64, membership.
  public func encode(into writer: inout ByteWriter) {
    writer.u64(index.rawValue)
    writer.u64(term.rawValue)
    membership.encode(into: &writer)
  }

  /// Reads a header that `encode` wrote.
  public init(from reader: inout ByteReader) throws(ByteError) {
    index = LogIndex(rawValue: try reader.u64())
    term = Term(rawValue: try reader.u64())
    membership = try Membership(from: &reader)
  }
}
