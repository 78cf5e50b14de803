import Bytes

/// The consistent-hash preference list of a position: the nodes in the order in which a walk clockwise from it meets
/// the first token of each.
///
/// Every node puts the same number of tokens at positions that depend on its id alone, so that a node that comes or
/// goes changes little for the others.
struct Preference {
  private static let tokensPerNode = 16

  /// Tokens in ring order, each with the place of its node.
  private let tokens: [(position: UInt64, node: Int)]
  private let nodeCount: Int

  init(nodes: [NodeID]) {
    nodeCount = nodes.count
    tokens = nodes.enumerated().flatMap { place, id in
      (0..<Preference.tokensPerNode).map { token in
        (position: SplitMix64.mix(UInt64(id.rawValue) << 32 | UInt64(token + 1)), node: place)
      }
    }.sorted { ($0.position, $0.node) < ($1.position, $1.node) }
  }

  /// For each node, by its place, the place that it has on the list of the position, from 0.
  func ranks(from position: Position) -> [Int] {
    var ranks = [Int](repeating: nodeCount, count: nodeCount)
    var next = 0
    let start = tokens.partitionPoint { $0.position < position.rawValue }
    for step in tokens.indices where next < nodeCount {
      let node = tokens[(start + step) % tokens.count].node
      guard ranks[node] == nodeCount else { continue }
      ranks[node] = next
      next += 1
    }
    return ranks
  }
}

extension Array {
  /// The first place from which on `precedes` no longer holds; it must hold for a prefix and for nothing else.
  fileprivate func partitionPoint(where precedes: (Element) -> Bool) -> Int {
    var low = 0
    var high = count
    while low < high {
      let middle = (low + high) / 2
      if precedes(self[middle]) { low = middle + 1 } else { high = middle }
    }
    return low
  }
}
