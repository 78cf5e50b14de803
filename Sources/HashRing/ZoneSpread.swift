/// How many replicas of one partition each zone may hold so that the fewest pairs of them share a zone.
///
/// The zones are filled evenly, as water would rise in them: each holds `level` replicas, or all its nodes where it has
/// fewer, and what is left goes one by one to zones that still have a node. So every choice between `low` and `high`
/// that adds up to the replicas wanted has the same, smallest number of pairs.
struct ZoneSpread {
  /// The replicas of one partition.
  let replicas: Int
  /// For each zone, its nodes: a range, since nodes are sorted by zone.
  let nodes: [Range<Int>]
  /// For each node, its zone.
  let zoneOfNode: [Int]
  /// For each zone, the fewest replicas of one partition.
  let low: [Int]
  /// For each zone, the most replicas of one partition.
  let high: [Int]

  /// The spread over nodes whose zones are named, sorted by zone; `replicas` is at most the number of nodes.
  init(zones: [String], replicas: Int) {
    var nodes: [Range<Int>] = []
    for node in zones.indices {
      if node > 0 && zones[node] == zones[node - 1] {
        nodes[nodes.count - 1] = nodes[nodes.count - 1].lowerBound..<node + 1
      } else {
        nodes.append(node..<node + 1)
      }
    }
    let sizes = nodes.map(\.count)
    func filled(_ level: Int) -> Int { sizes.reduce(0) { $0 + min($1, level) } }
    var level = 0
    while level < replicas && filled(level + 1) <= replicas { level += 1 }
    let isFull = filled(level) == replicas
    self.replicas = replicas
    self.nodes = nodes
    zoneOfNode = nodes.enumerated().flatMap { zone, range in range.map { _ in zone } }
    low = sizes.map { min($0, level) }
    high = sizes.map { min($0, isFull ? level : level + 1) }
  }
}
