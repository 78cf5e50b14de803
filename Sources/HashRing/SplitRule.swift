/// How many partitions a cluster should have, at least, for its nodes (DESIGN §7).
public enum SplitRule {
  /// The nodes for which the partitions are enough with which a cluster begins.
  public static let firstNodes = 3
  /// The partitions that each node should lead.
  public static let partitionsPerNode = 8

  /// The bits that each arc should have at least: with them there are enough partitions. 0 for the first nodes.
  public static func leastBits(nodes: Int) -> Int {
    guard nodes > firstNodes else { return 0 }
    return Int.bitWidth - (partitionsPerNode * nodes - 1).leadingZeroBitCount
  }
}
