public import Bytes

/// Why the core refused what its caller asked. Nothing was changed then: the request is certainly not done.
public enum RaftError: Error, Equatable, Sendable {
  /// Only the leader can do this. `hint` is the leader as far as is known here, else `ReplicaID.none`.
  case notLeader(hint: ReplicaID)
  /// Leadership is being handed over to this replica; proposals wait until it has it or gave up.
  case transferring(to: ReplicaID)
  /// More bytes are proposed and not yet committed than `RaftOptions.maxUncommittedBytes`.
  case uncommittedLimit(bytes: Int, limit: Int)
  /// One payload is larger than `Limits.entryBytes`.
  case payloadTooLarge(bytes: Int, limit: Int)
  /// A membership change may be in the log at this index and is not applied yet.
  case changePending(index: LogIndex)
  /// The change can't be applied to the group's membership.
  case invalidMembership(expected: String, found: String)
  /// The replica can't take over leadership: it is not a voter, or already the leader.
  case invalidTransferTarget(ReplicaID)
  /// `RaftOptions.maxPendingReads` reads are waiting already.
  case tooManyReads(limit: Int)
}
