public import Bytes

/// One replica of a partition and what the catalog wants of it.
public struct ReplicaAssignment: Hashable, Sendable {
  /// Where a replica stands between being wanted and being gone.
  public enum State: UInt8, Sendable {
    /// It votes.
    case voter = 0
    /// It is a learner that is wanted or being filled; it doesn't vote yet.
    case joining = 1
    /// It still votes; the next membership change takes it away.
    case leaving = 2
  }

  /// The replica; its id says on which node it lives.
  public let replica: ReplicaID
  /// Where it stands.
  public var state: State

  /// An assignment of these parts.
  public init(replica: ReplicaID, state: State) {
    self.replica = replica
    self.state = state
  }
}

/// One partition as the catalog knows it.
public struct PartitionEntry: Hashable, Sendable {
  /// The Raft group that owns the arc.
  public let group: GroupID
  /// The positions that it owns.
  public var arc: Arc
  /// Counts the changes of this partition's arc and replicas: the higher one is the newer.
  public var epoch: UInt64
  /// Its replicas, at most one on each node.
  public var replicas: [ReplicaAssignment]

  /// An entry of these parts.
  public init(group: GroupID, arc: Arc, epoch: UInt64, replicas: [ReplicaAssignment]) {
    self.group = group
    self.arc = arc
    self.epoch = epoch
    self.replicas = replicas
  }

  /// The replicas that vote: those that stay and those that are about to leave.
  public var voters: [ReplicaID] {
    replicas.filter { $0.state != .joining }.map(\.replica)
  }

  /// The replica of a node, if the node has one.
  public func replica(on node: NodeID) -> ReplicaAssignment? {
    replicas.first { $0.replica.node == node }
  }
}
