public import Bytes

/// Who holds what: the partitions of a cluster, which cover the ring without a gap or an overlap.
///
/// A value: the catalog makes a new one with a higher epoch for each change.
public struct PartitionMap: Equatable, Sendable {
  /// Counts the changes of the map: the higher one is the newer.
  public let epoch: UInt64
  /// The partitions in the order of their arcs.
  public let partitions: [PartitionEntry]

  /// The first position of each partition, in the same order: what a lookup searches.
  private let starts: [UInt64]
  /// The place of each group in `partitions`; looked up only, never iterated.
  private let placeOfGroup: [GroupID: Int]

  /// A map of partitions in any order. Throws where the arcs don't cover the ring exactly once, where two partitions
  /// share a group, where one has two replicas on a node, and above `Limits.partitions`.
  public init(epoch: UInt64, partitions: [PartitionEntry]) throws(RingError) {
    guard partitions.count <= Limits.partitions else {
      throw .tooManyPartitions(found: partitions.count, limit: Limits.partitions)
    }
    let sorted = partitions.sorted {
      ($0.arc.first, $0.arc.bits, $0.group) < ($1.arc.first, $1.arc.bits, $1.group)
    }
    try PartitionMap.checkCover(sorted)
    var places: [GroupID: Int] = [:]
    for (place, entry) in sorted.enumerated() {
      guard entry.group != .catalog else { throw .catalogOwnsArc }
      guard places.updateValue(place, forKey: entry.group) == nil else {
        throw .duplicateGroup(entry.group)
      }
      try PartitionMap.checkNodes(entry)
    }
    self.epoch = epoch
    self.partitions = sorted
    self.starts = sorted.map(\.arc.first.rawValue)
    self.placeOfGroup = places
  }

  private static func checkCover(_ sorted: [PartitionEntry]) throws(RingError) {
    // The position that the next arc must begin at; nil once the ring is full.
    var next: UInt64? = 0
    var previous = GroupID.catalog
    for entry in sorted {
      guard let expected = next, entry.arc.first.rawValue >= expected else {
        throw .overlap(previous, entry.group)
      }
      guard entry.arc.first.rawValue == expected else {
        throw .gap(at: Position(rawValue: expected))
      }
      let last = entry.arc.last.rawValue
      next = last == .max ? nil : last + 1
      previous = entry.group
    }
    if let next { throw .gap(at: Position(rawValue: next)) }
  }

  private static func checkNodes(_ entry: PartitionEntry) throws(RingError) {
    var seen: Set<NodeID> = []
    for assignment in entry.replicas where !seen.insert(assignment.replica.node).inserted {
      throw .duplicateNode(group: entry.group, node: assignment.replica.node)
    }
  }

  /// The partition that owns a position.
  public func lookup(_ position: Position) -> PartitionEntry {
    partitions[place(of: position)]
  }

  /// The partition that owns a key's position.
  public func lookup(_ key: Key) -> PartitionEntry {
    lookup(Position(of: key))
  }

  /// The place in `partitions` of the one that owns a position: the last whose arc begins at or before it.
  public func place(of position: Position) -> Int {
    var low = 0
    var high = starts.count
    // The arcs cover the ring, so starts[0] is 0 and never above the position.
    while high - low > 1 {
      let middle = (low + high) / 2
      if starts[middle] <= position.rawValue { low = middle } else { high = middle }
    }
    return low
  }

  /// The partition of a group, if there is one.
  public func lookup(_ group: GroupID) -> PartitionEntry? {
    placeOfGroup[group].map { partitions[$0] }
  }
}
