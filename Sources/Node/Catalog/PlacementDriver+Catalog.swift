import Bytes
import HashRing
import Raft
import Wire

// The catalog's leader: the catalog's own members, and the plan for the partitions.
extension PlacementDriver {
  /// Keeps every node a member of the catalog, and enough of those that stay voters.
  func reconcileCatalog() {
    guard let replica = node.catalog.replica, replica.leads, let catalog = node.catalog.catalog else { return }
    let membership = replica.core.membership
    guard !membership.isJoint else { return }
    let wanted = catalog.living.map(\.catalogReplica)
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
    }
    // Who is lost goes before anyone else: while it counts, more of the others must answer.
    if let lost = goers(of: replica, catalog).first(where: { !wanted.contains($0) }) {
      return propose(.simple([.remove(lost)]), to: replica)
    }
    if let step = nextSeat(of: replica, catalog) { return propose(step.change, to: replica) }
    retireVoters(of: replica, catalog)
  }

  /// The next change of those that vote, among the nodes that stay.
  private func nextSeat(of replica: GroupReplica, _ catalog: Catalog) -> CatalogSeats.Step? {
    let membership = replica.core.membership
    let members = catalog.staying.map { node in
      let id = node.catalogReplica
      return CatalogSeats.Member(
        id, zone: node.zone, isVoter: membership.isVoter(id),
        isReady: membership.learners.contains(id) && isCaughtUp(id, replica))
    }
    return CatalogSeats.next(members, leader: replica.id)
  }

  /// The voters whose nodes go, and have no other replica in their place.
  private func goers(of replica: GroupReplica, _ catalog: Catalog) -> [ReplicaID] {
    let staying = catalog.staying.map(\.catalogReplica)
    let goers = replica.core.membership.voters.filter { voter in
      !staying.contains(voter) && catalog.hasGivenOut(voter) && !staying.contains { $0.node == voter.node }
    }
    return goers.count < replica.core.membership.voters.count ? goers : []
  }

  /// Takes the vote from a node that leaves, once others have taken its place.
  private func retireVoters(of replica: GroupReplica, _ catalog: Catalog) {
    let goers = goers(of: replica, catalog)
    guard let goer = goers.first else { return }
    let staying = catalog.staying.map(\.catalogReplica)
    let voters = replica.core.membership.voters.count { staying.contains($0) }
    guard voters >= Limits.catalogVoters(ofNodes: staying.count) else { return }
    guard goer != replica.id else {
      handOver(replica, except: goers)
      return
    }
    // It stays a learner until it is removed, so that it hears of that.
    propose(.simple([.addLearner(goer)]), to: replica)
  }

  /// Plans the next steps: at most one replica on its way to each node.
  func plan() {
    guard wantsPlan, !isPlanning, let replica = node.catalog.replica, replica.leads,
      let catalog = node.catalog.catalog
    else { return }
    wantsPlan = false
    guard let command = nextRemoval(catalog, replica) ?? nextChange(catalog, replica) ?? nextSplit(catalog)
    else { return }
    isPlanning = true
    node.catalog.propose(command) { [self] outcome in
      isPlanning = false
      wantsPlan = true
      if case .refused(let refusal) = outcome { node.host.log(.debug, "a planned step was refused: \(refusal)") }
    }
  }

  /// Takes out a node that goes and has nothing left.
  private func nextRemoval(_ catalog: Catalog, _ replica: GroupReplica) -> WireCatalogCommand? {
    let replicas = catalog.replicaCounts
    let gone = catalog.nodes.first { node in
      node.departure != .stays && replicas[NodeID(rawValue: node.id)] == nil
        && !replica.core.membership.isVoter(node.catalogReplica)
    }
    return gone.map { gone in .with { $0.removeNode = gone.id } }
  }

  private func nextChange(_ catalog: Catalog, _ replica: GroupReplica) -> WireCatalogCommand? {
    let arriving = Set(catalog.map.partitions.flatMap(\.replicas).filter { $0.state == .joining }.map(\.replica.node))
    let plan = catalog.plan
    for move in plan.moves {
      guard let entry = catalog.map.lookup(move.group), let wanted = plan.nodes(of: move.group),
        entry.replicas.allSatisfy({ $0.state == .voter }), catalog.partition(move.group)?.hasSplit == false
      else { continue }
      if let target = move.to {
        guard !arriving.contains(target), !isFull(target), isHeard(target, catalog, replica) else { continue }
      }
      let leaver = move.from.flatMap { entry.replica(on: $0) }
      let hasSurplus = entry.replicas.count >= wanted.count
      guard move.to != nil || leaver != nil && hasSurplus else { continue }
      return .with {
        $0.changePartition = .with {
          $0.group = entry.group.rawValue
          $0.epoch = entry.epoch
          $0.add = move.to.map { [$0.rawValue] } ?? []
          if let leaver, hasSurplus { $0.remove = [leaver.replica.rawValue] }
        }
      }
    }
    return nextPreference(catalog)
  }

  /// The nodes of a partition's voters whose files are sound; all of them where none is.
  private func fitToLead(_ entry: PartitionEntry, _ catalog: Catalog) -> [NodeID] {
    let sound = entry.voters.filter { !catalog.isDamaged($0, of: entry.group) }
    return (sound.isEmpty ? entry.voters : sound).map(\.node)
  }

  /// Whether a node was heard from lately, as the catalog's leader knows.
  private func isHeard(_ id: NodeID, _ catalog: Catalog, _ replica: GroupReplica) -> Bool {
    guard id != node.id, let member = catalog.node(id) else { return id == node.id }
    return replica.core.status.peers.first { $0.id == member.catalogReplica }?.recentlyActive ?? false
  }

  /// Spreads the leaders once all replicas are in place.
  private func nextPreference(_ catalog: Catalog) -> WireCatalogCommand? {
    let entries = catalog.map.partitions
    guard !entries.contains(where: { $0.replicas.contains { $0.state != .voter } }) else { return nil }
    let answers = Planner.leaders(
      for: entries.map {
        LeaderQuestion(
          group: $0.group, voters: fitToLead($0, catalog), current: catalog.preferredLeader(of: $0.group))
      }, avoiding: Set(catalog.nodes.filter { $0.departure != .stays }.map { NodeID(rawValue: $0.id) }))
    for (entry, answer) in zip(entries.sorted { $0.group < $1.group }, answers)
    where catalog.preferredLeader(of: entry.group) != answer.leader
      && catalog.partition(entry.group)?.hasSplit == false
    {
      return .with {
        $0.changePartition = .with {
          $0.group = entry.group.rawValue
          $0.epoch = entry.epoch
          $0.preferred = answer.leader.rawValue
        }
      }
    }
    return nil
  }
}

extension CatalogSeats.Step {
  fileprivate var change: MembershipChange {
    switch self {
    case .seat(let id): .simple([.addVoter(id)])
    case .unseat(let id): .simple([.addLearner(id)])
    case .exchange(let out, let new): .joint([.addVoter(new), .addLearner(out)])
    }
  }
}
