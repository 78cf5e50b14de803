/// A minimum-cost flow that places the replicas of all partitions on nodes.
///
/// Every unit of flow is a replica. It runs from its partition's hub through one of the partition's zones (between
/// `low` and `high` replicas there, `ZoneSpread`) to a node (at most one replica of a partition), and from the node to
/// the terminal (between the floor and ceiling of the node's quota, `NodeQuota`). A replica that is not there yet costs
/// one move, and every replica its node's rank on the partition's preference list, which counts less than any move.
///
/// The solver is successive shortest paths with potentials (Ahuja, Magnanti, Orlin, "Network Flows", §9.7), started
/// not from nothing but from the present placement: that keeps every replica for free, so it is optimal already and
/// only breaks bounds, and the work is in proportion to the moves. Paths are searched among nodes and the terminal
/// alone: an edge between two nodes is the cheapest way to move some replica between them.
struct PlacementFlow {
  let zones: ZoneSpread
  let quota: NodeQuota
  let partitionCount: Int
  let nodeCount: Int
  /// The vertex behind all nodes.
  var terminal: Int { nodeCount }
  /// What a replica costs that has to move: more than all ranks together.
  let moveCost: Int

  /// For each partition and node, the cost of a replica there.
  var cost: [Int]
  /// For each partition and node, whether it has a replica there.
  var isHeld: [Bool]
  /// For each partition and zone, the flow from the hub to the zone.
  var zoneFlow: [Int]
  /// For each node, the partitions that it holds.
  var held: [[Int]]
  /// For each node, the flow to the terminal.
  var sent: [Int]
  /// The flow that reached the terminal beyond all replicas; negative while some are missing.
  var excess = 0

  /// The potentials of nodes and terminal: with them no edge has a negative cost.
  var potential: [Int]
  /// For each pair of nodes the least cost of moving a replica from one to the other, where the row is fresh.
  var moveCosts: [Int]
  /// For each pair of nodes the partition whose replica that is.
  var movePartition: [Int]
  /// For each node whether its row of `moveCosts` is up to date.
  var isFresh: [Bool]

  /// A flow without any replica. Every partition must be placed before it is solved.
  init(zones: ZoneSpread, quota: NodeQuota, partitions: Int) {
    self.zones = zones
    self.quota = quota
    partitionCount = partitions
    nodeCount = zones.zoneOfNode.count
    moveCost = partitions * zones.replicas * nodeCount + 1
    cost = []
    cost.reserveCapacity(partitions * nodeCount)
    isHeld = [Bool](repeating: false, count: partitions * nodeCount)
    zoneFlow = []
    zoneFlow.reserveCapacity(partitions * zones.nodes.count)
    held = [[Int]](repeating: [], count: nodeCount)
    sent = [Int](repeating: 0, count: nodeCount)
    potential = [Int](repeating: 0, count: nodeCount + 1)
    moveCosts = [Int](repeating: 0, count: nodeCount * nodeCount)
    movePartition = moveCosts
    isFresh = [Bool](repeating: false, count: nodeCount)
  }

  /// The replicas of each node.
  var counts: [Int] { held.map(\.count) }

  /// The nodes of a partition.
  func nodes(of partition: Int) -> [Int] {
    (0..<nodeCount).filter { isHeld[partition * nodeCount + $0] }
  }

  /// Enters the next partition, with the nodes that hold it now and the rank of each node on its preference list.
  ///
  /// It starts with these replicas if they are within the bounds of the zones, else with none: a partition without
  /// flow is on no cycle, so the start stays optimal.
  mutating func place(partition: Int, held current: [Int], ranks: [Int]) {
    precondition(cost.count == partition * nodeCount)
    cost.append(contentsOf: ranks.map { $0 + moveCost })
    var inZone = [Int](repeating: 0, count: zones.nodes.count)
    for node in current {
      cost[partition * nodeCount + node] -= moveCost
      inZone[zones.zoneOfNode[node]] += 1
    }
    let flow = zip(inZone, zones.low).map { max($0, $1) }
    guard zip(flow, zones.high).allSatisfy({ $0 <= $1 }), flow.reduce(0, +) <= zones.replicas else {
      zoneFlow.append(contentsOf: zones.low)
      return
    }
    zoneFlow.append(contentsOf: flow)
    for node in current {
      isHeld[partition * nodeCount + node] = true
      held[node].append(partition)
    }
  }

  /// Sends every unit on its way that the start left behind, each along a cheapest path.
  mutating func solve() {
    for node in 0..<nodeCount {
      sent[node] = min(
        max(held[node].count, quota.bounds[node].lowerBound), quota.bounds[node].upperBound)
    }
    excess = sent.reduce(0, +) - partitionCount * zones.replicas
    for partition in 0..<partitionCount { fill(partition) }
    for node in 0..<nodeCount {
      while held[node].count > sent[node] { augment(from: .vertex(node)) }
    }
    while excess > 0 { augment(from: .vertex(terminal)) }
  }

  /// Adds the replicas that a partition lacks, first those that a zone must hold.
  private mutating func fill(_ partition: Int) {
    let start = partition * zones.nodes.count
    for (zone, nodes) in zones.nodes.enumerated() {
      let present = nodes.count { isHeld[partition * nodeCount + $0] }
      for _ in present..<zoneFlow[start + zone] { augment(from: .zone(zone, partition: partition)) }
    }
    let flow = zoneFlow[start..<start + zones.nodes.count].reduce(0, +)
    for _ in flow..<zones.replicas { augment(from: .hub(partition: partition)) }
  }
}
