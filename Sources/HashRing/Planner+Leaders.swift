public import Bytes

/// A partition whose preferred leader is sought.
public struct LeaderQuestion: Hashable, Sendable {
  /// The partition's group.
  public let group: GroupID
  /// The nodes of its voters: one of them will lead.
  public let voters: [NodeID]
  /// The node that is preferred now, if any.
  public let current: NodeID?

  /// A question of these parts.
  public init(group: GroupID, voters: [NodeID], current: NodeID? = nil) {
    self.group = group
    self.voters = voters
    self.current = current
  }
}

/// The node that a partition's leadership should be on.
public struct LeaderAnswer: Hashable, Sendable {
  /// The partition's group.
  public let group: GroupID
  /// The node of the voter that should lead.
  public let leader: NodeID

  /// An answer of these parts.
  public init(group: GroupID, leader: NodeID) {
    self.group = group
    self.leader = leader
  }
}

extension Planner {
  /// Preferred leaders, as evenly over the nodes as the voters allow: counts differ by at most one where possible, and
  /// else have the least sum of squares. Present leaders stay unless moving them evens the counts out.
  ///
  /// Nodes in `avoided` (draining, say) lead only partitions that have no other voter. Partitions without voters get
  /// no answer; the answers are in order of groups.
  public static func leaders(for questions: [LeaderQuestion], avoiding avoided: Set<NodeID> = [])
    -> [LeaderAnswer]
  {
    let asked = questions.filter { !$0.voters.isEmpty }.sorted { $0.group < $1.group }
    let candidates = asked.map { question in
      let voters = Set(question.voters)
      let preferred = voters.subtracting(avoided)
      return (preferred.isEmpty ? voters : preferred).sorted()
    }
    var spread = LeaderSpread(candidates: candidates, current: asked.map(\.current))
    spread.even()
    return zip(asked, spread.leaders).map { LeaderAnswer(group: $0.group, leader: $1) }
  }
}

/// An assignment of partitions to one of their candidates that is made even: an optimal semi-matching (Harvey, Ladner,
/// Lovász, Tamir, "Semi-matchings for bipartite graphs and load balancing", 2003).
private struct LeaderSpread {
  private let candidates: [[NodeID]]
  private(set) var leaders: [NodeID]
  private var led: [NodeID: [Int]]
  private let nodes: [NodeID]

  init(candidates: [[NodeID]], current: [NodeID?]) {
    self.candidates = candidates
    nodes = Set(candidates.joined()).sorted()
    led = Dictionary(uniqueKeysWithValues: nodes.map { ($0, []) })
    leaders = []
    for (place, nodes) in candidates.enumerated() {
      let kept = current[place].flatMap { nodes.contains($0) ? $0 : nil }
      leaders.append(kept ?? nodes[0])
      led[leaders[place], default: []].append(place)
    }
    // A partition without a leader is free to take any: it begins where fewest are led.
    for place in candidates.indices where current[place] != leaders[place] {
      if let least = candidates[place].min(by: { (count($0), $0) < (count($1), $1) }),
        count(least) < count(leaders[place])
      {
        lead(place, least)
      }
    }
  }

  private func count(_ node: NodeID) -> Int { led[node, default: []].count }

  /// Hands leaderships on along chains from a node to one that leads at least two fewer, until there is no such chain:
  /// then, and only then, no assignment has a smaller sum of squares. Each chain lowers that sum, so this ends.
  mutating func even() {
    var start = nodes.sorted { (count($1), $0) < (count($0), $1) }[...]
    while let node = start.popFirst() {
      if handOn(from: node) {
        start = nodes.sorted { (count($1), $0) < (count($0), $1) }[...]
      }
    }
  }

  /// Finds, by breadth first, a shortest chain to a node with at least two fewer, and moves a leadership along it.
  private mutating func handOn(from start: NodeID) -> Bool {
    // The partition over which each node was reached; its leader is the node before.
    var reached: [NodeID: Int] = [:]
    var queue = [start]
    var head = 0
    while head < queue.count {
      let node = queue[head]
      head += 1
      if count(node) <= count(start) - 2 {
        var end = node
        while end != start, let place = reached[end] {
          let before = leaders[place]
          lead(place, end)
          end = before
        }
        return true
      }
      for place in led[node, default: []] {
        for next in candidates[place] where next != start && reached[next] == nil {
          reached[next] = place
          queue.append(next)
        }
      }
    }
    return false
  }

  private mutating func lead(_ place: Int, _ node: NodeID) {
    led[leaders[place], default: []].removeAll { $0 == place }
    leaders[place] = node
    led[node, default: []].append(place)
  }
}
