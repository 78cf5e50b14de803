import Bytes
import HashRing
import Wire

// What the planner is told.
extension Catalog {
  /// The members as the planner sees them. It is not told of those that are lost, and so replaces what they held.
  var plannerNodes: [PlannerNode] {
    living.map {
      PlannerNode(id: NodeID(rawValue: $0.id), zone: $0.zone, weight: $0.share, isDraining: $0.departure == .leaves)
    }
  }

  /// The partitions with the replicas that they will have once what is under way is done.
  var plannerPartitions: [PlannerPartition] {
    map.partitions.map { entry in
      PlannerPartition(
        group: entry.group, arc: entry.arc,
        replicas: entry.replicas.filter { $0.state != .leaving }.map(\.replica.node).sorted())
    }
  }

  /// What should be, and the moves that are left.
  var plan: Plan {
    Planner.plan(
      nodes: plannerNodes, partitions: plannerPartitions, replicasWanted: Int(state.replicasWanted))
  }
}
