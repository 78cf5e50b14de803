import Bytes
import Testing

@testable import HashRing

@Suite struct PlannerOptimumTests {
  @Test("a plan is as good as the best of all placements, on small random clusters")
  func bruteForce() {
    var zoned = 0
    for seed in 0..<UInt64(400) {
      let oracle = PlannerOracle(seed: seed, nodes: 1...5, partitionBits: 0...2)
      guard !oracle.takers.isEmpty else { continue }
      let placement = oracle.plan().assignments.map(\.nodes)
      let best = oracle.best()
      #expect(oracle.score(placement) == best.score, "seed \(seed)")
      #expect(
        zip(oracle.counts(placement), best.bounds).allSatisfy { $1.contains($0) }, "seed \(seed)")
      if best.bounds != oracle.weightedBounds() { zoned += 1 }
    }
    // Else the clusters don't try what happens where zones rule weighted shares out.
    #expect(zoned > 10)
  }

  @Test("no cycle of moves makes a plan cheaper, on larger random clusters")
  func noNegativeCycle() {
    for seed in 1000..<UInt64(1120) {
      let oracle = PlannerOracle(seed: seed, nodes: 6...14, partitionBits: 3...5)
      let takers = oracle.takers.sorted { ($0.zone, $0.id) < ($1.zone, $1.id) }
      guard !takers.isEmpty else { continue }
      let zones = ZoneSpread(zones: takers.map(\.zone), replicas: oracle.replicas)
      let quota = NodeQuota(
        weights: takers.map { Int64($0.weight) }, zones: zones, partitions: oracle.partitions.count)
      let network = ResidualNetwork(oracle, takers, zones, quota, oracle.plan())
      #expect(network.isWithinBounds, "seed \(seed)")
      #expect(!network.hasNegativeCycle(), "seed \(seed)")
    }
  }

  @Test("the check for cycles finds a plan that is not the best")
  func checkCanFail() {
    var found = 0
    for seed in 1000..<UInt64(1020) {
      let oracle = PlannerOracle(seed: seed, nodes: 6...14, partitionBits: 3...3)
      let takers = oracle.takers.sorted { ($0.zone, $0.id) < ($1.zone, $1.id) }
      guard takers.count > oracle.replicas else { continue }
      let zones = ZoneSpread(zones: takers.map(\.zone), replicas: oracle.replicas)
      let quota = NodeQuota(
        weights: takers.map { Int64($0.weight) }, zones: zones, partitions: oracle.partitions.count)
      let plan = oracle.plan()
      // The same sets of nodes, given to the partitions in another order.
      let turned = zip(plan.assignments, plan.assignments.dropFirst() + plan.assignments.prefix(1))
        .map {
          Plan.Assignment(group: $0.group, nodes: $1.nodes)
        }
      let worse = Plan(assignments: turned, moves: [], shortfalls: [])
      let network = ResidualNetwork(oracle, takers, zones, quota, worse)
      if network.isWithinBounds && network.hasNegativeCycle() { found += 1 }
    }
    #expect(found > 10)
  }
}

/// What could be changed about a plan, as edges with costs: a flow within its bounds has the least cost exactly when
/// its residual network has no cycle of negative cost (Ahuja, Magnanti, Orlin, "Network Flows", theorem 9.1).
private struct ResidualNetwork {
  private var edges: [(from: Int, to: Int, cost: Int)] = []
  private var vertices = 0
  private(set) var isWithinBounds = true

  init(
    _ oracle: PlannerOracle, _ takers: [PlannerNode], _ zones: ZoneSpread, _ quota: NodeQuota,
    _ plan: Plan
  ) {
    let preference = Preference(nodes: takers.map(\.id))
    let terminal = takers.count
    vertices = terminal + 1
    for (place, node) in takers.enumerated() {
      let count = plan.assignments.count { $0.nodes.contains(node.id) }
      join(place, terminal, cost: 0, flow: count, quota.bounds[place])
    }
    for (partition, assignment) in zip(oracle.partitions, plan.assignments) {
      let ranks = preference.ranks(from: partition.arc.first)
      let hub = vertices
      vertices += 1 + zones.nodes.count
      isWithinBounds = isWithinBounds && assignment.nodes.count == zones.replicas
      for (zone, members) in zones.nodes.enumerated() {
        let inZone = hub + 1 + zone
        let count = members.count { assignment.nodes.contains(takers[$0].id) }
        join(hub, inZone, cost: 0, flow: count, zones.low[zone]...zones.high[zone])
        for member in members {
          let cost =
            ranks[member] + (partition.replicas.contains(takers[member].id) ? 0 : 1_000_000)
          join(
            inZone, member, cost: cost, flow: assignment.nodes.contains(takers[member].id) ? 1 : 0,
            0...1)
        }
      }
    }
  }

  private mutating func join(
    _ from: Int, _ to: Int, cost: Int, flow: Int, _ bounds: ClosedRange<Int>
  ) {
    isWithinBounds = isWithinBounds && bounds.contains(flow)
    if flow < bounds.upperBound { edges.append((from, to, cost)) }
    if flow > bounds.lowerBound { edges.append((to, from, -cost)) }
  }

  /// Bellman and Ford: distances that still shrink after as many rounds as there are vertices run round a cycle.
  func hasNegativeCycle() -> Bool {
    var distance = [Int](repeating: 0, count: vertices)
    for _ in 0..<vertices {
      var isSettled = true
      for edge in edges where distance[edge.from] + edge.cost < distance[edge.to] {
        distance[edge.to] = distance[edge.from] + edge.cost
        isSettled = false
      }
      if isSettled { return false }
    }
    return true
  }
}
