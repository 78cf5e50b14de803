import Bytes
import HashRing
import Raft
import Wire

// A partition's leader walks its group towards the replicas that the catalog wants.
extension PlacementDriver {
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
    if entry.hasSplit, replaced.isEmpty { return advanceSplit(entry, partition) }
    if let newcomer = joining.first(where: { !membership.contains($0) }) {
      return propose(.simple([.addLearner(newcomer)]), to: replica)
    }
    if let learner = joining.first(where: { membership.learners.contains($0) }) {
      guard isCaughtUp(learner, replica), node.admissions.admits(learner, to: partition, replica) else { return }
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

  func propose(_ change: MembershipChange, to replica: GroupReplica) {
    do {
      try replica.propose(membership: change)
    } catch {
      node.host.log(.debug, "group \(replica.group): membership change not taken now: \(error)")
    }
  }

  /// Whether a peer has all that is committed, and was heard from so lately that it can't have been dead for long: a
  /// leadership handed to one that has just died would stop the group for an election timeout.
  func isCaughtUp(_ id: ReplicaID, _ replica: GroupReplica) -> Bool {
    guard let peer = replica.core.status.peers.first(where: { $0.id == id }) else { return false }
    return peer.silence < Limits.freshNanoseconds && peer.match >= replica.core.commit
  }

  /// Hands a leadership to another voter that can take it, if there is one.
  @discardableResult
  func handOver(_ replica: GroupReplica, except leaving: [ReplicaID]) -> Bool {
    let able = replica.core.membership.voters.filter {
      $0 != replica.id && !leaving.contains($0) && isCaughtUp($0, replica) && !isFull($0.node)
    }
    // Rather to one that stays than to one that is about to go itself, and rather to one whose files are sound.
    let staying = able.filter { mayLead($0.node) }
    let heirs = staying.isEmpty ? able : staying
    let sound = heirs.first { node.catalog.catalog?.isDamaged($0, of: replica.group) == false }
    guard let target = sound ?? heirs.first else { return false }
    replica.transferLeadership(to: target)
    return true
  }

  /// Whether a voter that could take a leadership is not known to have damaged files.
  func hasSoundHeir(_ replica: GroupReplica) -> Bool {
    replica.core.membership.voters.contains { voter in
      voter != replica.id && isCaughtUp(voter, replica) && !isFull(voter.node)
        && node.catalog.catalog?.isDamaged(voter, of: replica.group) == false
    }
  }

  func isFull(_ id: NodeID) -> Bool { node.catalog.catalog?.node(id)?.isFull ?? false }

  func mayLead(_ id: NodeID) -> Bool { node.catalog.catalog?.mayLead(id) ?? true }

  /// Whether all leaderships are to be given away.
  var shallNotLead: Bool { node.isDraining || node.space.isFull }

  func report(_ entry: WireCatalogPartition, voters: [ReplicaID]) {
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

  // MARK: Leaders

  /// Hands leaderships to their preferred nodes; all of them to others while this node drains or its
  /// disk is full.
  func moveLeaders() {
    for partition in node.partitions {
      guard let replica = partition.replica, replica.leads else { continue }
      if shallNotLead {
        handOver(replica, except: [])
      } else if let preferred = node.catalog.catalog?.preferredLeader(of: partition.group), preferred != node.id,
        mayLead(preferred),
        let target = replica.core.membership.voters.first(where: { $0.node == preferred }), isCaughtUp(target, replica),
        node.catalog.catalog?.isDamaged(target, of: partition.group) == false
      {
        replica.transferLeadership(to: target)
      }
    }
    if shallNotLead, let catalog = node.catalog.replica, catalog.leads { handOver(catalog, except: []) }
  }
}
