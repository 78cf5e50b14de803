import Bytes
import Environment
import Log
import Raft
import Store
import Wire

/// A replica that takes part in nothing: what it may have promised is not known any more.
struct Fence {
  /// Its id; nil as long as it isn't certain: the store that says it can't be read.
  var replica: ReplicaID?
  /// What was found, for people.
  let words: String
  /// What the machine held when it was last flushed; nil where that can't be read either.
  let store: PartitionStore?
  let point: SnapshotHeader?
}

/// The replicas of this node of which something was lost: a vote, a term, entries that they had acknowledged (DESIGN
/// §5; Alagappan et al., "Protocol-Aware Recovery for Consensus-Based Storage", FAST'18).
///
/// Such a replica is to its group as one that is down: it gives no vote and acknowledges nothing. The catalog gives the
/// node another in its place, of a new id, that has promised nothing yet. It begins with what the old one had flushed,
/// all of which was committed, as a learner; the group's leader then brings it up to date and takes the old id out of
/// the membership. The only replica of a group stays as it is: a person decides.
final class Fences {
  private unowned let node: Node
  private var fences: [GroupID: Fence] = [:]
  private var underWay: Set<GroupID> = []
  private var nextLook = Moment(rawValue: 0)
  private var looks: UInt64 = 0

  init(node: Node) {
    self.node = node
  }

  /// The groups with a fenced replica, ascending, and what was found of each.
  var all: [(group: GroupID, fence: Fence)] { fences.sorted { $0.key < $1.key }.map { ($0.key, $0.value) } }

  func holds(_ group: GroupID) -> Bool { fences[group] != nil }

  /// Fences a replica.
  func add(_ group: GroupID, _ fence: Fence) {
    fences[group] = fence
    let words = words(group, fence)
    node.host.log(.error, words)
    node.onFence?(words)
  }

  /// Those of them that their groups lack: what the catalog does not want here harms nobody.
  var missed: [(group: GroupID, fence: Fence)] { all.filter { isWanted($0.group) } }

  private func isWanted(_ group: GroupID) -> Bool {
    guard group != .catalog, let catalog = node.catalog.catalog else { return true }
    return catalog.partition(group)?.replicas.contains { ReplicaID(rawValue: $0.id).node == node.id } ?? false
  }

  /// What is wrong with a group's replica here, if it is fenced.
  func problem(of group: GroupID) -> String? { fences[group].map { words(group, $0) } }

  /// What is wrong with a partition's replica here, if it is fenced and the only one: waiting helps nobody then.
  func problemForGood(of group: GroupID) -> String? {
    guard !fences.isEmpty, let fence = fences[group], isOnly(group) else { return nil }
    return words(group, fence)
  }

  private func isOnly(_ group: GroupID) -> Bool {
    group != .catalog && node.catalog.catalog?.partition(group)?.replicas.count == 1 && isWanted(group)
  }

  private func words(_ group: GroupID, _ fence: Fence) -> String {
    let name = group == .catalog ? "the catalog" : "partition \(group)"
    let rest = isOnly(group) ? "and there is no other" : "and takes no part until it is replaced"
    return "\(name): the replica on node \(node.id) is damaged, \(rest): \(fence.words)"
  }

  func tick() {
    guard !fences.isEmpty, node.now >= nextLook else { return }
    nextLook = node.now.advanced(milliseconds: Limits.fenceLookMilliseconds)
    looks += 1
    for (group, fence) in all where !underWay.contains(group) {
      if group == .catalog { lookAtCatalog(fence) } else { look(group, fence) }
    }
  }

  /// The catalog has changed.
  func mapChanged() { nextLook = node.now }

  private func propose(_ group: GroupID, _ replica: ReplicaID) {
    underWay.insert(group)
    let command = WireCatalogCommand.with {
      $0.replaceReplica = .with {
        $0.group = group.rawValue
        $0.replica = replica.rawValue
      }
    }
    node.proposeToCatalog(command) { [self] isDone in
      underWay.remove(group)
      // Refused where it was done before: then the catalog says so itself.
      if isDone { fences[group]?.replica = replica }
    }
  }

  // MARK: Partitions

  private func look(_ group: GroupID, _ fence: Fence) {
    guard let catalog = node.catalog.catalog else { return }
    let replicas = catalog.partition(group)?.replicas.map { ReplicaID(rawValue: $0.id) } ?? []
    let wanted = replicas.first { $0.node == node.id }
    guard let replica = fence.replica, wanted != replica else {
      // Where the id isn't known, the one that the catalog replaces is: it names no other until it has done so.
      if let wanted, replicas.count > 1 { propose(group, wanted) }
      return
    }
    guard catalog.hasGivenOut(replica) else { return }
    guard let store = fence.store, let point = fence.point, let wanted else {
      // The next start must not make a replica anew that had promised something: the file has to name the other.
      return node.catalog.fileKnowsReplicas ? setAside(group) : ()
    }
    guard let (state, _) = try? PartitionState.read(store.flushedState) else { return }
    var relabelled = state
    relabelled.replica = wanted
    guard let job = store.freeze(state: relabelled.storeState(at: point)) else { return }
    underWay.insert(group)
    node.host.run(.flush) {
      job.run()
    } then: { [self] result in
      underWay.remove(group)
      do {
        try store.install(result)
        let partition = try Partition(
          node: node, group: group, replicaID: wanted, directory: node.storage.partitionDirectory(group),
          arc: state.arc, store: store, isCut: state.isCut, origin: state.origin)
        fences[group] = nil
        node.replace(group, id: wanted, machine: partition, point: point)
      } catch {
        node.host.log(.error, "partition \(group): its replica can't be given its new id: \(error)")
      }
      node.pump()
    }
  }

  /// What is left of a replica that is not wanted, or can't be read, makes room for another; its files are kept.
  private func setAside(_ group: GroupID) {
    underWay.insert(group)
    let storage = node.storage
    node.host.run(.background) {
      storage.setAside(group)
    } then: { [self] failure in
      underWay.remove(group)
      if let failure {
        return node.host.log(.error, "partition \(group): its files can't be set aside: \(failure)")
      }
      fences[group] = nil
      node.damage.forget(in: storage.partitionDirectory(group))
      node.pipeline.appendRemoval(of: group)
      node.planner.mapChanged()
      node.pump()
    }
  }

  // MARK: The catalog

  /// The catalog's own replica here can't tell what the catalog says: another member is asked.
  private func lookAtCatalog(_ fence: Fence) {
    let others = (node.catalog.catalog?.nodes ?? []).map { NodeID(rawValue: $0.id) }.filter { $0 != node.id }
    guard !others.isEmpty else { return }
    underWay.insert(.catalog)
    let asked = others[Int(truncatingIfNeeded: looks) % others.count]
    let deadline = node.now.advanced(milliseconds: Limits.oracleMilliseconds)
    node.call(asked, .with { $0.map = WireMapRequest() }, deadline: deadline) { [self] result in
      underWay.remove(.catalog)
      guard case .answered(.map(let map)) = result, let own = map.members.first(where: { $0.id == node.id.rawValue })
      else { return }
      guard let replica = fence.replica else { return }
      guard own.catalogIncarnation > replica.incarnation else { return propose(.catalog, replica) }
      replaceCatalog(ReplicaID(node: node.id, incarnation: own.catalogIncarnation), fence)
    }
  }

  private func replaceCatalog(_ id: ReplicaID, _ fence: Fence) {
    underWay.insert(.catalog)
    let storage = node.storage
    node.host.run(.background) {
      storage.saveCatalogIncarnation(id.incarnation)
    } then: { [self] failure in
      underWay.remove(.catalog)
      if let failure { return node.host.log(.error, "the node's identity can't be saved: \(failure)") }
      fences[.catalog] = nil
      let start = SnapshotHeader(index: .zero, term: .zero, membership: Membership())
      node.replace(.catalog, id: id, machine: node.catalog, point: fence.point ?? start)
      node.pump()
    }
  }
}
