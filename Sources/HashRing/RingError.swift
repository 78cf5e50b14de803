public import Bytes

/// Why an arc or a partition map is refused: both come from a peer, a disk or a user and are never trusted.
public enum RingError: Error, Equatable, Sendable, CustomStringConvertible {
  /// No arc has this many prefix bits, or this prefix does not fit them.
  case badArc(bits: UInt64, prefix: UInt64)
  /// The ring is not divided into this many equal parts: a power of two up to `limit` is expected.
  case badPartCount(found: Int, limit: Int)
  /// A map has more partitions than a cluster may have.
  case tooManyPartitions(found: Int, limit: Int)
  /// No partition holds this position and those that follow.
  case gap(at: Position)
  /// Two partitions hold the same positions.
  case overlap(GroupID, GroupID)
  /// Two partitions have the same group.
  case duplicateGroup(GroupID)
  /// The catalog's group owns no arc.
  case catalogOwnsArc
  /// A partition has two replicas on one node.
  case duplicateNode(group: GroupID, node: NodeID)

  public var description: String {
    switch self {
    case .badArc(let bits, let prefix):
      "expected an arc of at most \(Arc.maximumBits) bits with a prefix that fits them, "
        + "found \(bits) bits and prefix \(prefix)"
    case .badPartCount(let found, let limit):
      "expected a power of two from 1 to \(limit) as the number of partitions, found \(found)"
    case .tooManyPartitions(let found, let limit):
      "expected at most \(limit) partitions, found \(found)"
    case .gap(let position):
      "no partition holds position \(position) of the ring"
    case .overlap(let first, let second):
      "partitions \(first) and \(second) hold the same positions of the ring"
    case .duplicateGroup(let group):
      "two partitions have the group \(group)"
    case .catalogOwnsArc:
      "the catalog's group owns an arc of the ring"
    case .duplicateNode(let group, let node):
      "partition \(group) has two replicas on node \(node)"
    }
  }
}
