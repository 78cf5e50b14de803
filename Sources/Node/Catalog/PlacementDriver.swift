import Bytes
import HashRing
import Raft
import Wire

/// Brings the replicas where the catalog wants them, one safe step at a time (DESIGN §7).
///
/// The catalog's leader plans: it gives a partition that lacks a replica, or has one where another should be, a
/// replica to come and perhaps one to go. Each partition's leader walks its group there: learner, caught up, voter,
/// leaver out; then it reports to the catalog. Every step looks at what is and takes the next, so it doesn't matter
/// who crashed in between.
final class PlacementDriver {
  unowned let node: Node
  /// Partitions whose end was reported and not yet answered.
  var reporting: Set<GroupID> = []
  /// The partitions that have replicas to come or to go.
  private(set) var moving: Set<GroupID> = []
  /// Whether a replica that is not wanted had a job under way when it was to be ended.
  private var mustDropLater = false
  var isPlanning = false
  var wantsPlan = true
  private var ticks = 0

  init(node: Node) {
    self.node = node
  }

  func tick() {
    ticks += 1
    if mustDropLater {
      mustDropLater = false
      mapChanged()
    }
    if node.isDraining || ticks.isMultiple(of: PlacementDriver.ticksBetweenTransfers) {
      wantsPlan = true
      moveLeaders()
    }
    plan()
  }

  /// Plans are looked over and leaderships moved at most this often.
  static let ticksBetweenTransfers = 10

  /// The map has changed: makes the replicas that are wanted here, ends those that are not, and goes on planning.
  func mapChanged() {
    guard let catalog = node.catalog.catalog else { return }
    wantsPlan = true
    node.fences.mapChanged()
    moving = Set(
      catalog.state.partitions.filter { $0.hasSplit || $0.replicas.contains { $0.state != .voter } }
        .map { GroupID(rawValue: $0.group) })
    for partition in catalog.state.partitions {
      let group = GroupID(rawValue: partition.group)
      let wanted = partition.replicas.first { ReplicaID(rawValue: $0.id).node == node.id }.map {
        ReplicaID(rawValue: $0.id)
      }
      if let present = node.replicas[group], present.id != wanted, catalog.hasGivenOut(present.id) {
        mustDropLater = !node.dropPartition(group) || mustDropLater
      }
      if let wanted, node.replicas[group] == nil, !node.ending.contains(group), !node.fences.holds(group),
        !awaitsSplit(partition)
      {
        node.makePartition(group, replica: wanted, of: partition)
      }
      if let present = node.replicas[group]?.machine as? Partition { reconcile(present) }
    }
    plan()
  }

  /// Whether a partition's replica here is still to be cut from its parent's: it is not made empty then.
  private func awaitsSplit(_ child: WireCatalogPartition) -> Bool {
    guard child.parent != 0, let parent = node.replicas[GroupID(rawValue: child.parent)]?.machine as? Partition,
      let arc = try? Arc(validating: UInt64(child.bits), prefix: child.prefix)
    else { return false }
    return parent.split.concerns(GroupID(rawValue: child.group)) || parent.arc.contains(arc) && parent.hasState
  }
}
