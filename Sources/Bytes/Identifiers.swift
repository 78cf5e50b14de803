/// A Raft term: the logical clock of one group (Raft paper §5.1).
public struct Term: RawRepresentable, Hashable, Comparable, Sendable, CustomStringConvertible {
  /// Before the first election.
  public static let zero = Term(rawValue: 0)
  public let rawValue: UInt64
  public init(rawValue: UInt64) { self.rawValue = rawValue }
  public static func < (left: Term, right: Term) -> Bool { left.rawValue < right.rawValue }
  /// The next term.
  public var next: Term { Term(rawValue: rawValue + 1) }
  public var description: String { String(rawValue) }
}

/// The position of an entry in a group's log; the first entry is 1, and 0 means "before the first".
public struct LogIndex: RawRepresentable, Hashable, Comparable, Sendable, CustomStringConvertible {
  /// Before the first entry.
  public static let zero = LogIndex(rawValue: 0)
  public let rawValue: UInt64
  public init(rawValue: UInt64) { self.rawValue = rawValue }
  public static func < (left: LogIndex, right: LogIndex) -> Bool { left.rawValue < right.rawValue }
  /// The index that follows.
  public var next: LogIndex { LogIndex(rawValue: rawValue + 1) }
  /// The index before; zero stays zero.
  public var previous: LogIndex { LogIndex(rawValue: rawValue == 0 ? 0 : rawValue - 1) }
  public static func + (left: LogIndex, right: Int) -> LogIndex {
    LogIndex(rawValue: UInt64(Int64(left.rawValue) + Int64(right)))
  }
  public static func - (left: LogIndex, right: LogIndex) -> Int {
    Int(Int64(left.rawValue) - Int64(right.rawValue))
  }
  public var description: String { String(rawValue) }
}

/// The number of a node, given out by the catalog and never used again.
public struct NodeID: RawRepresentable, Hashable, Comparable, Sendable, CustomStringConvertible {
  public let rawValue: UInt32
  public init(rawValue: UInt32) { self.rawValue = rawValue }
  public static func < (left: NodeID, right: NodeID) -> Bool { left.rawValue < right.rawValue }
  public var description: String { String(rawValue) }
}

/// A Raft group: 0 is the catalog, each partition has a number of its own.
public struct GroupID: RawRepresentable, Hashable, Comparable, Sendable, CustomStringConvertible {
  /// The catalog's group.
  public static let catalog = GroupID(rawValue: 0)
  public let rawValue: UInt32
  public init(rawValue: UInt32) { self.rawValue = rawValue }
  public static func < (left: GroupID, right: GroupID) -> Bool { left.rawValue < right.rawValue }
  public var description: String { String(rawValue) }
}

/// One node's member of one group: the node in the upper half, an incarnation that the catalog counts up in the
/// lower. So a replica id is never reused, and says where to send its messages.
public struct ReplicaID: RawRepresentable, Hashable, Comparable, Sendable, CustomStringConvertible {
  /// No replica: an unknown leader, a vote not given.
  public static let none = ReplicaID(rawValue: 0)
  public let rawValue: UInt64
  public init(rawValue: UInt64) { self.rawValue = rawValue }
  /// The replica of a node with the given incarnation.
  public init(node: NodeID, incarnation: UInt32) {
    self.rawValue = UInt64(node.rawValue) << 32 | UInt64(incarnation)
  }
  /// The node on which the replica lives.
  public var node: NodeID { NodeID(rawValue: UInt32(truncatingIfNeeded: rawValue >> 32)) }
  /// Which of the replicas that this node ever had.
  public var incarnation: UInt32 { UInt32(truncatingIfNeeded: rawValue) }
  public static func < (left: ReplicaID, right: ReplicaID) -> Bool { left.rawValue < right.rawValue }
  public var description: String { "\(node).\(incarnation)" }
}

/// A number of bytes.
public struct ByteCount: RawRepresentable, Hashable, Comparable, Sendable, CustomStringConvertible {
  public let rawValue: Int
  public init(rawValue: Int) { self.rawValue = rawValue }
  public static func bytes(_ count: Int) -> ByteCount { ByteCount(rawValue: count) }
  public static func kibibytes(_ count: Int) -> ByteCount { ByteCount(rawValue: count << 10) }
  public static func mebibytes(_ count: Int) -> ByteCount { ByteCount(rawValue: count << 20) }
  public static func < (left: ByteCount, right: ByteCount) -> Bool { left.rawValue < right.rawValue }
  /// The count in the largest binary unit that divides it: `4 KiB`, `8 MiB`, `300 B`.
  public var description: String {
    for (unit, shift) in [("GiB", 30), ("MiB", 20), ("KiB", 10)]
    where rawValue >= 1 << shift && rawValue & (1 << shift - 1) == 0 {
      return "\(rawValue >> shift) \(unit)"
    }
    return "\(rawValue) B"
  }
}
