public import Bytes

/// A node as the planner sees it.
public struct PlannerNode: Hashable, Sendable {
  /// The node.
  public let id: NodeID
  /// What it shares the fate of: a rack, a room, a cloud zone. Nodes with the same name are in the same zone.
  public let zone: String
  /// Its part of the load against the weights of the others; 0 keeps everything off it.
  public let weight: UInt32
  /// Whether it is to be emptied.
  public let isDraining: Bool

  /// A node of these parts.
  public init(id: NodeID, zone: String = "", weight: UInt32 = 1, isDraining: Bool = false) {
    self.id = id
    self.zone = zone
    self.weight = weight
    self.isDraining = isDraining
  }

  /// Whether it may hold replicas.
  var takesReplicas: Bool { weight > 0 && !isDraining }
}

/// A partition as the planner sees it.
public struct PlannerPartition: Hashable, Sendable {
  /// The partition's group.
  public let group: GroupID
  /// Its arc, from whose start the ring is walked for the preference list.
  public let arc: Arc
  /// The nodes that hold a replica now. One that the planner is not told about is lost.
  public let replicas: [NodeID]

  /// A partition of these parts.
  public init(group: GroupID, arc: Arc, replicas: [NodeID]) {
    self.group = group
    self.arc = arc
    self.replicas = replicas
  }
}

/// What the planner wants, and how to get there.
public struct Plan: Equatable, Sendable {
  /// The nodes that one partition should have a replica on.
  public struct Assignment: Equatable, Sendable {
    /// The partition.
    public let group: GroupID
    /// The nodes, ascending.
    public let nodes: [NodeID]

    /// An assignment of these parts.
    public init(group: GroupID, nodes: [NodeID]) {
      self.group = group
      self.nodes = nodes
    }
  }

  /// One replica that comes, goes, or moves from one node to another.
  public struct Move: Equatable, Sendable {
    /// The partition.
    public let group: GroupID
    /// The node that loses the replica; nil where the partition only gains one.
    public let from: NodeID?
    /// The node that gains it; nil where the partition only loses one.
    public let to: NodeID?

    /// A move of these parts.
    public init(group: GroupID, from: NodeID?, to: NodeID?) {
      self.group = group
      self.from = from
      self.to = to
    }
  }

  /// What every partition should have, in ring order.
  public let assignments: [Assignment]
  /// What to do, under-replicated partitions first (the fewest living replicas foremost), then in ring order.
  public let moves: [Move]
  /// Why the plan is less than what was asked for; empty where it is all of it.
  public let shortfalls: [Shortfall]

  /// A plan of these parts.
  public init(assignments: [Assignment], moves: [Move], shortfalls: [Shortfall]) {
    self.assignments = assignments
    self.moves = moves
    self.shortfalls = shortfalls
  }

  /// The nodes that a partition should have, if the plan knows the partition.
  public func nodes(of group: GroupID) -> [NodeID]? {
    assignments.first { $0.group == group }?.nodes
  }
}

/// A reason for which a plan falls short of what was asked for. Its description is a sentence for the operator.
public enum Shortfall: Equatable, Sendable, CustomStringConvertible {
  /// No node may hold replicas: the plan leaves everything where it is.
  case noNodes
  /// Fewer nodes may hold replicas than replicas are wanted.
  case tooFewNodes(wanted: Int, available: Int)
  /// Fewer zones than replicas: some zone holds `most` replicas of a partition.
  case tooFewZones(replicas: Int, zones: Int, most: Int)
  /// The zones keep a node from its weighted share, here rounded down and up.
  case unevenZones(node: NodeID, zone: String, share: ClosedRange<Int>, planned: Int)

  public var description: String {
    switch self {
    case .noNodes:
      "no node takes replicas: all are draining or have weight 0, so nothing moves"
    case .tooFewNodes(let wanted, let available):
      "\(wanted) replicas are wanted, but only \(available) nodes take replicas"
    case .tooFewZones(let replicas, let zones, let most):
      "\(replicas) replicas have only \(zones) zones to live in: a zone may hold \(most) of one partition"
    case .unevenZones(let node, let zone, let share, let planned):
      "node \(node) holds \(planned) replicas where its weight asks for "
        + (share.lowerBound == share.upperBound
          ? "\(share.lowerBound)" : "\(share.lowerBound) or \(share.upperBound)")
        + ": zone '\(zone)' is too \(planned > share.upperBound ? "small" : "large") for an even spread"
    }
  }
}

/// Decides which nodes hold which partitions: pure functions of what they are given, the same answer everywhere.
///
/// A placement is optimal in this order (DESIGN §7): replicas in distinct zones as far as possible (fewest pairs of a
/// partition's replicas in one zone); on every node the floor or the ceiling of its weighted share; fewest moves;
/// least sum of the places on the partitions' preference lists. A node whose weight asks for more replicas than there
/// are partitions has one of each, and the others share the rest. Where the zones rule the weighted shares out, the
/// shares are those closest to them that the zones allow (`NodeQuota`), and the plan says so.
public enum Planner {
  /// The plan for a cluster. `replicasWanted` must be at least 1; nodes and groups must not occur twice.
  public static func plan(nodes: [PlannerNode], partitions: [PlannerPartition], replicasWanted: Int)
    -> Plan
  {
    precondition(replicasWanted >= 1)
    let partitions = partitions.sorted { ($0.arc.first, $0.group) < ($1.arc.first, $1.group) }
    precondition(Set(partitions.map(\.group)).count == partitions.count)
    let takers = nodes.filter(\.takesReplicas).sorted { ($0.zone, $0.id) < ($1.zone, $1.id) }
    precondition(Set(nodes.map(\.id)).count == nodes.count)
    guard !takers.isEmpty else {
      let unchanged = partitions.map {
        Plan.Assignment(group: $0.group, nodes: Set($0.replicas).sorted())
      }
      return Plan(assignments: unchanged, moves: [], shortfalls: [.noNodes])
    }

    let zones = ZoneSpread(zones: takers.map(\.zone), replicas: min(replicasWanted, takers.count))
    let quota = NodeQuota(
      weights: takers.map { Int64($0.weight) }, zones: zones, partitions: partitions.count)
    let preference = Preference(nodes: takers.map(\.id))
    var flow = PlacementFlow(zones: zones, quota: quota, partitions: partitions.count)
    let placeOfNode = Dictionary(uniqueKeysWithValues: takers.enumerated().map { ($1.id, $0) })
    for (place, partition) in partitions.enumerated() {
      let held = Set(partition.replicas).compactMap { placeOfNode[$0] }.sorted()
      flow.place(partition: place, held: held, ranks: preference.ranks(from: partition.arc.first))
    }
    flow.solve()

    let assignments = partitions.indices.map { place in
      Plan.Assignment(
        group: partitions[place].group, nodes: flow.nodes(of: place).map { takers[$0].id }.sorted())
    }
    return Plan(
      assignments: assignments, moves: moves(partitions, assignments, nodes),
      shortfalls: shortfalls(wanted: replicasWanted, takers, zones, quota, flow.counts))
  }
}
