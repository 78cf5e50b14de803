import Bytes

@testable import HashRing

/// A random cluster and, for small ones, the best plan found by trying them all: written from the planner's promise,
/// sharing nothing with it but the preference list.
struct PlannerOracle {
  var nodes: [PlannerNode] = []
  var partitions: [PlannerPartition] = []
  var wanted = 3

  /// What a placement is judged by, in this order.
  struct Score: Equatable, Comparable {
    var pairs: Int
    var moves: Int
    var ranks: Int

    static func < (left: Score, right: Score) -> Bool {
      (left.pairs, left.moves, left.ranks) < (right.pairs, right.moves, right.ranks)
    }
  }

  init(seed: UInt64, nodes nodeCount: ClosedRange<Int>, partitionBits: ClosedRange<UInt8>) {
    var random = SplitMix64(seed: seed)
    let zoneCount = Int.random(in: 1...4, using: &random)
    let isWeighted = Bool.random(using: &random)
    for id in 1...Int.random(in: nodeCount, using: &random) {
      nodes.append(
        PlannerNode(
          id: NodeID(rawValue: UInt32(id)),
          zone: "z\(Int.random(in: 1...zoneCount, using: &random))",
          weight: isWeighted ? UInt32.random(in: 0...4, using: &random) : 1,
          isDraining: Int.random(in: 0..<8, using: &random) == 0))
    }
    wanted = Int.random(in: 1...4, using: &random)
    // Replicas of now: none, or random ones, some on nodes that are lost.
    let emptiness = Int.random(in: 0...2, using: &random)
    let bits = UInt8.random(in: partitionBits, using: &random)
    for prefix in 0..<(UInt64(1) << UInt64(bits)) {
      let ids = (1...UInt32(nodes.count + 1)).shuffled(using: &random).prefix(
        Int.random(in: 0...5, using: &random))
      let isEmpty = emptiness == 0 || Int.random(in: 0...4, using: &random) < emptiness
      partitions.append(
        PlannerPartition(
          group: GroupID(rawValue: UInt32(prefix) + 1), arc: Arc(bits: bits, prefix: prefix),
          replicas: isEmpty ? [] : ids.map { NodeID(rawValue: $0) }))
    }
    // Half of the clusters start near an optimum, as clusters do.
    if Bool.random(using: &random) {
      let planned = Planner.plan(nodes: nodes, partitions: partitions, replicasWanted: wanted)
      partitions = partitions.map {
        PlannerPartition(group: $0.group, arc: $0.arc, replicas: planned.nodes(of: $0.group) ?? [])
      }
      nodes[0] = PlannerNode(id: nodes[0].id, zone: nodes[0].zone, isDraining: true)
      nodes.append(PlannerNode(id: NodeID(rawValue: UInt32(nodes.count + 1)), zone: "z1"))
    }
  }

  var takers: [PlannerNode] { nodes.filter { !$0.isDraining && $0.weight > 0 } }
  var replicas: Int { min(wanted, takers.count) }

  func plan() -> Plan { Planner.plan(nodes: nodes, partitions: partitions, replicasWanted: wanted) }

  /// The pairs of nodes that share a zone.
  func pairs(_ ids: [NodeID]) -> Int {
    let zones = ids.compactMap { id in nodes.first { $0.id == id }?.zone }
    return zones.indices.reduce(0) { sum, place in
      sum + zones[..<place].count { $0 == zones[place] }
    }
  }

  func score(_ placement: [[NodeID]]) -> Score {
    let preference = Preference(nodes: takers.map(\.id))
    var score = Score(pairs: 0, moves: 0, ranks: 0)
    for (partition, ids) in zip(partitions, placement) {
      let ranks = preference.ranks(from: partition.arc.first)
      score.pairs += pairs(ids)
      score.moves += ids.count { !partition.replicas.contains($0) }
      score.ranks += ids.reduce(0) { sum, id in sum + ranks[takers.firstIndex { $0.id == id } ?? 0]
      }
    }
    return score
  }

  func counts(_ placement: [[NodeID]]) -> [Int] {
    takers.map { node in placement.count { $0.contains(node.id) } }
  }

  /// Floor and ceiling of every taker's share by weight, none above one replica of each partition.
  func weightedBounds() -> [ClosedRange<Int>] {
    var capped: Set<NodeID> = []
    while true {
      let free = takers.filter { !capped.contains($0.id) }
      let rest = partitions.count * (replicas - capped.count)
      let weight = free.reduce(0) { $0 + Int($1.weight) }
      let over = free.filter { Int($0.weight) * rest > partitions.count * weight }
      guard over.isEmpty else {
        capped.formUnion(over.map(\.id))
        continue
      }
      return takers.map { node in
        guard !capped.contains(node.id) else { return partitions.count...partitions.count }
        let product = Int(node.weight) * rest
        return product / weight...(product + weight - 1) / weight
      }
    }
  }

  /// The same for the shares that the zones allow, by bisection: every zone holds weight × level, within what one
  /// partition may and must have there.
  func zonedBounds(options: [[NodeID]]) -> [ClosedRange<Int>] {
    let cap = Double(partitions.count)
    let zones = Set(takers.map(\.zone)).sorted()
    func held(_ members: [PlannerNode], _ level: Double) -> Double {
      members.reduce(0) { $0 + min(cap, Double($1.weight) * level) }
    }
    func bisect(_ target: Double, _ f: (Double) -> Double) -> Double {
      var (low, high) = (0.0, cap)
      for _ in 0..<200 {
        let middle = (low + high) / 2
        if f(middle) < target { low = middle } else { high = middle }
      }
      return high
    }
    let limits = zones.map { zone in
      let members = takers.filter { $0.zone == zone }
      let inZone = options.map { option in
        Double(option.count { id in members.contains { $0.id == id } })
      }
      let least = bisect(cap * (inZone.min() ?? 0)) { held(members, $0) }
      let most = bisect(cap * (inZone.max() ?? 0)) { held(members, $0) }
      return (members: members, least: least, most: most)
    }
    let common = bisect(cap * Double(replicas) - 1e-9) { level in
      limits.reduce(0) { $0 + held($1.members, min(max(level, $1.least), $1.most)) }
    }
    return takers.map { node in
      let limit = limits[zones.firstIndex(of: node.zone) ?? 0]
      let share = min(cap, Double(node.weight) * min(max(common, limit.least), limit.most))
      return Int((share + 1e-6).rounded(.down))...Int((share - 1e-6).rounded(.up))
    }
  }

  /// All ways to place one partition with the fewest pairs in a zone.
  func options() -> [[NodeID]] {
    let ids = takers.map(\.id)
    let all = (0..<(1 << ids.count)).filter { $0.nonzeroBitCount == replicas }.map { mask in
      ids.indices.filter { mask >> $0 & 1 == 1 }.map { ids[$0] }
    }
    let fewest = all.map(pairs).min() ?? 0
    return all.filter { pairs($0) == fewest }
  }

  /// The best score of all placements, and the bounds that it keeps to.
  func best() -> (score: Score, bounds: [ClosedRange<Int>]) {
    let options = options()
    let weighted = weightedBounds()
    if let score = best(options, weighted) { return (score, weighted) }
    let zoned = zonedBounds(options: options)
    return (best(options, zoned) ?? Score(pairs: -1, moves: -1, ranks: -1), zoned)
  }

  private func best(_ options: [[NodeID]], _ bounds: [ClosedRange<Int>]) -> Score? {
    let places = options.map { ids in ids.map { id in takers.firstIndex { $0.id == id } ?? 0 } }
    let preference = Preference(nodes: takers.map(\.id))
    let scores = partitions.map { partition in
      let ranks = preference.ranks(from: partition.arc.first)
      return zip(options, places).map { ids, places in
        Score(
          pairs: pairs(ids), moves: ids.count { !partition.replicas.contains($0) },
          ranks: places.reduce(0) { $0 + ranks[$1] })
      }
    }
    var best: Score?
    var counts = [Int](repeating: 0, count: takers.count)
    func visit(_ partition: Int, _ sum: Score) {
      guard partition < partitions.count else {
        if zip(counts, bounds).allSatisfy({ $1.contains($0) }) { best = min(best ?? sum, sum) }
        return
      }
      for option in places.indices {
        for place in places[option] { counts[place] += 1 }
        let score = scores[partition][option]
        visit(
          partition + 1,
          Score(
            pairs: sum.pairs + score.pairs, moves: sum.moves + score.moves,
            ranks: sum.ranks + score.ranks))
        for place in places[option] { counts[place] -= 1 }
      }
    }
    visit(0, Score(pairs: 0, moves: 0, ranks: 0))
    return best
  }
}
