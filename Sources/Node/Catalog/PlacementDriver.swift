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
  private unowned let node: Node
  /// Partitions whose end was reported and not yet answered.
  private var reporting: Set<GroupID> = []
  /// The partitions that have replicas to come or to go.
  private var moving: Set<GroupID> = []
  /// Whether a replica that is not wanted had a job under way when it was to be ended.
  private var mustDropLater = false
  private var isPlanning = false
  private var wantsPlan = true
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
    moving = Set(catalog.map.partitions.filter { $0.replicas.contains { $0.state != .voter } }.map(\.group))
    for partition in catalog.state.partitions {
      let group = GroupID(rawValue: partition.group)
      let wanted = partition.replicas.first { ReplicaID(rawValue: $0.id).node == node.id }.map {
        ReplicaID(rawValue: $0.id)
      }
      if let present = node.replicas[group], present.id != wanted, catalog.hasGivenOut(present.id) {
        mustDropLater = !node.dropPartition(group) || mustDropLater
      }
      if let wanted, node.replicas[group] == nil, !node.fences.holds(group) {
        node.makePartition(group, replica: wanted, of: partition)
      }
      if let present = node.replicas[group]?.machine as? Partition { reconcile(present) }
    }
    plan()
  }

  // MARK: A partition's leader

  /// Takes the next step towards the replicas that the catalog wants for a partition that this node leads.
  func reconcile(_ partition: Partition) {
    guard moving.contains(partition.group), let replica = partition.replica, replica.leads,
      let catalog = node.catalog.catalog, let entry = catalog.partition(partition.group)
    else { return }
    let membership = replica.core.membership
    guard !membership.isJoint else { return }
    let joining = entry.replicas.filter { $0.state == .joining }.map { ReplicaID(rawValue: $0.id) }
    let wanted = entry.replicas.map { ReplicaID(rawValue: $0.id) }
    // A voter whose place another has taken: unless this catalog is older than the voter.
    let replaced = membership.voters.filter { !wanted.contains($0) && catalog.hasGivenOut($0) }
    let leaving = entry.replicas.filter { $0.state == .leaving }.map { ReplicaID(rawValue: $0.id) } + replaced

    if let stray = membership.learners.first(where: { !wanted.contains($0) }) {
      return propose(.simple([.remove(stray)]), to: replica)
    }
    if let newcomer = joining.first(where: { !membership.contains($0) }) {
      return propose(.simple([.addLearner(newcomer)]), to: replica)
    }
    if let learner = joining.first(where: { membership.learners.contains($0) }) {
      guard isCaughtUp(learner, replica) else { return }
      let leaver = leaving.first { membership.voters.contains($0) && $0 != replica.id }
      guard let leaver else { return propose(.simple([.addVoter(learner)]), to: replica) }
      return propose(.joint([.addVoter(learner), .remove(leaver)]), to: replica)
    }
    if let leaver = leaving.first(where: { membership.voters.contains($0) }) {
      guard leaver != replica.id else {
        handOver(replica, except: [leaver])
        return
      }
      return propose(.simple([.remove(leaver)]), to: replica)
    }
    if !joining.isEmpty || !leaving.isEmpty { report(entry, voters: membership.voters) }
  }

  private func propose(_ change: MembershipChange, to replica: GroupReplica) {
    do {
      try replica.propose(membership: change)
    } catch {
      node.host.log(.debug, "group \(replica.group): membership change not taken now: \(error)")
    }
  }

  private func isCaughtUp(_ id: ReplicaID, _ replica: GroupReplica) -> Bool {
    guard let peer = replica.core.status.peers.first(where: { $0.id == id }) else { return false }
    return peer.recentlyActive && peer.match >= replica.core.commit
  }

  /// Hands a leadership to another voter that can take it, if there is one.
  @discardableResult
  func handOver(_ replica: GroupReplica, except leaving: [ReplicaID]) -> Bool {
    let able = replica.core.membership.voters.filter {
      $0 != replica.id && !leaving.contains($0) && isCaughtUp($0, replica) && !isFull($0.node)
    }
    let sound = able.first { node.catalog.catalog?.isDamaged($0, of: replica.group) == false }
    guard let target = sound ?? able.first else { return false }
    replica.transferLeadership(to: target)
    return true
  }

  private func isFull(_ id: NodeID) -> Bool { node.catalog.catalog?.node(id)?.isFull ?? false }

  /// Whether all leaderships are to be given away.
  private var shallNotLead: Bool { node.isDraining || node.space.isFull }

  private func report(_ entry: WireCatalogPartition, voters: [ReplicaID]) {
    let group = GroupID(rawValue: entry.group)
    guard reporting.insert(group).inserted else { return }
    let command = WireCatalogCommand.with {
      $0.confirmPartition = .with {
        $0.group = entry.group
        $0.epoch = entry.epoch
        $0.voters = voters.map(\.rawValue)
      }
    }
    node.proposeToCatalog(command) { [self] _ in
      // Refused or lost: the next tick finds what is left to do.
      reporting.remove(group)
    }
  }

  // MARK: The catalog's leader

  /// Keeps every node a member of the catalog, and enough of them voters.
  func reconcileCatalog() {
    guard let replica = node.catalog.replica, replica.leads, let catalog = node.catalog.catalog else { return }
    let membership = replica.core.membership
    guard !membership.isJoint else { return }
    let wanted = catalog.nodes.map(\.catalogReplica)
    if let stray = membership.learners.first(where: { !wanted.contains($0) && catalog.hasGivenOut($0) }) {
      return propose(.simple([.remove(stray)]), to: replica)
    }
    for id in wanted {
      if !membership.contains(id) { return propose(.simple([.addLearner(id)]), to: replica) }
      let replaced = membership.voters.first { $0.node == id.node && $0.incarnation < id.incarnation }
      if let replaced, membership.learners.contains(id) {
        guard isCaughtUp(id, replica) else { continue }
        return propose(.joint([.addVoter(id), .remove(replaced)]), to: replica)
      }
      if membership.learners.contains(id), membership.voters.count < Int(catalog.state.replicasWanted),
        isCaughtUp(id, replica)
      {
        return propose(.simple([.addVoter(id)]), to: replica)
      }
    }
  }

  /// Plans the next moves: at most one replica on its way to each node.
  private func plan() {
    guard wantsPlan, !isPlanning, let replica = node.catalog.replica, replica.leads,
      let catalog = node.catalog.catalog
    else { return }
    wantsPlan = false
    guard let change = nextChange(catalog) else { return }
    isPlanning = true
    node.catalog.propose(.with { $0.changePartition = change }) { [self] outcome in
      isPlanning = false
      wantsPlan = true
      if case .refused(let refusal) = outcome { node.host.log(.debug, "a planned move was refused: \(refusal)") }
    }
  }

  private func nextChange(_ catalog: Catalog) -> WireCatalogCommand.PartitionChange? {
    let map = catalog.map
    let arriving = map.partitions.flatMap(\.replicas).filter { $0.state == .joining }.map(\.replica.node)
    let nodes = catalog.nodes.map {
      PlannerNode(id: NodeID(rawValue: $0.id), zone: $0.zone, weight: 1, isDraining: false)
    }
    let partitions = map.partitions.map { entry in
      PlannerPartition(
        group: entry.group, arc: entry.arc,
        replicas: entry.replicas.filter { $0.state != .leaving }.map(\.replica.node).sorted())
    }
    let plan = Planner.plan(nodes: nodes, partitions: partitions, replicasWanted: Int(catalog.state.replicasWanted))
    for entry in map.partitions where !entry.replicas.contains(where: { $0.state != .voter }) {
      guard let wanted = plan.nodes(of: entry.group) else { continue }
      let present = entry.replicas.map(\.replica.node)
      let missing = wanted.first { !present.contains($0) && !arriving.contains($0) && !isFull($0) }
      let surplus = entry.replicas.first { !wanted.contains($0.replica.node) }
      guard let missing else { continue }
      return .with {
        $0.group = entry.group.rawValue
        $0.epoch = entry.epoch
        $0.add = [missing.rawValue]
        if let surplus, present.count >= wanted.count { $0.remove = [surplus.replica.rawValue] }
      }
    }
    return nextPreference(catalog)
  }

  /// Spreads the leaders once all replicas are in place.
  private func nextPreference(_ catalog: Catalog) -> WireCatalogCommand.PartitionChange? {
    let entries = catalog.map.partitions
    guard !entries.contains(where: { $0.replicas.contains { $0.state != .voter } }) else { return nil }
    let answers = Planner.leaders(
      for: entries.map {
        LeaderQuestion(
          group: $0.group, voters: fitToLead($0, catalog), current: catalog.preferredLeader(of: $0.group))
      })
    for (entry, answer) in zip(entries.sorted { $0.group < $1.group }, answers)
    where catalog.preferredLeader(of: entry.group) != answer.leader {
      return .with {
        $0.group = entry.group.rawValue
        $0.epoch = entry.epoch
        $0.preferred = answer.leader.rawValue
      }
    }
    return nil
  }

  /// The nodes of a partition's voters whose files are sound; all of them where none is.
  private func fitToLead(_ entry: PartitionEntry, _ catalog: Catalog) -> [NodeID] {
    let sound = entry.voters.filter { !catalog.isDamaged($0, of: entry.group) }
    return (sound.isEmpty ? entry.voters : sound).map(\.node)
  }

  // MARK: Leaders

  /// Hands leaderships to their preferred nodes; all of them to others while this node drains or its
  /// disk is full.
  func moveLeaders() {
    for partition in node.partitions {
      guard let replica = partition.replica, replica.leads else { continue }
      if shallNotLead {
        handOver(replica, except: [])
      } else if let preferred = node.catalog.catalog?.preferredLeader(of: partition.group), preferred != node.id,
        !isFull(preferred),
        let target = replica.core.membership.voters.first(where: { $0.node == preferred }), isCaughtUp(target, replica),
        node.catalog.catalog?.isDamaged(target, of: partition.group) == false
      {
        replica.transferLeadership(to: target)
      }
    }
    if shallNotLead, let catalog = node.catalog.replica, catalog.leads { handOver(catalog, except: []) }
  }
}
