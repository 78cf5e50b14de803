import Bytes
import Environment
import HashRing
import Log
import Raft
import Store
import Wire

// Which replicas live on the node: those found at the start, those that the catalog gives and takes.
extension Node {
  /// Consensus at the pace of `tickMilliseconds`: elections after 600 to 1,200 ms of silence.
  func raftOptions(for group: GroupID) -> RaftOptions {
    var options = RaftOptions()
    options.tickNanoseconds = Node.tickMilliseconds * 1_000_000
    options.electionTicks = 12
    options.heartbeatTicks = 2
    options.stallTicks = 36
    options.quiescenceTicks = 20
    options.maxInflightBytes = 4 << 20
    options.maxLogBytes = storage.options.keptLogBytes
    // An append for each commit would double the messages of a write, and nobody waits for a partition's follower; but
    // all nodes wait for the catalog's word.
    options.tellsCommitAtOnce = group == .catalog
    return options
  }

  /// Sets the node going over what its directory held: its replicas, as soon as the other members have said what they
  /// remember of them, or had the time to.
  public func start(_ opened: OpenedDirectory) throws(NodeError) {
    damage = Damage(inLog: opened.damage)
    if let (state, point) = opened.catalog { catalog.restore(state, savedIndex: point.index) }
    host.membersChanged(
      opened.catalog?.state.members ?? opened.identity.stored.members, refused: opened.catalog?.state.refused ?? [])
    let others = (opened.catalog?.state.nodes ?? []).map { NodeID(rawValue: $0.id) }.filter { $0 != id }
    let recollection = Recollection(self, of: others) { [unowned self] recollection in
      self.recollection = nil
      do throws(NodeError) {
        try startReplicas(opened, recollection)
      } catch {
        host.fatal("\(error)")
      }
    }
    guard !others.isEmpty else { return try startReplicas(opened, recollection) }
    self.recollection = recollection
    recollection.begin()
    pump()
  }

  private func startReplicas(_ opened: OpenedDirectory, _ recollection: Recollection) throws(NodeError) {
    defer { opened.letGo() }
    try startCatalog(opened, recollection)
    for (group, store) in opened.stores {
      switch store {
      case .success(let store): try start(group, store, opened, recollection)
      case .failure(let error):
        fences.add(group, Fence(replica: nil, words: "\(error)", store: nil, point: nil))
      }
    }
    for group in opened.lostStores {
      let words = "its files are gone, or CURRENT among them, and what it had promised with them"
      fences.add(group, Fence(replica: nil, words: words, store: nil, point: nil))
    }
    for group in recollection.groups where replicas[group] == nil && !fences.holds(group) {
      guard let replica = recollection.replica(of: group),
        let loss = recollection.loss(of: group, replica, after: nil, opened.recovered[group])
      else { continue }
      fences.add(group, Fence(replica: replica, words: loss, store: nil, point: nil))
    }
    applyRetention()
    planner.mapChanged()
    pump()
  }

  private func startCatalog(_ opened: OpenedDirectory, _ recollection: Recollection) throws(NodeError) {
    let replica = ReplicaID(node: id, incarnation: max(1, opened.identity.stored.catalogIncarnation))
    let start = SnapshotHeader(index: .zero, term: .zero, membership: Membership())
    let point = opened.catalog?.point
    let loss =
      opened.loss(of: .catalog, after: point)
      ?? recollection.loss(of: .catalog, replica, after: point, opened.recovered[.catalog])
    guard let loss else {
      return addReplica(
        .catalog, id: replica, machine: catalog, point: point ?? start, recovered: opened.recovered[.catalog])
    }
    guard let members = opened.catalog?.state.nodes, members.count > 1 else {
      throw .damagedCatalog(opened.damage.isEmpty ? [loss] : opened.damage.map(\.description))
    }
    fences.add(
      .catalog, Fence(replica: recollection.newest(of: .catalog, or: replica), words: loss, store: nil, point: point))
  }

  private func start(
    _ group: GroupID, _ store: PartitionStore, _ opened: OpenedDirectory, _ recollection: Recollection
  ) throws(NodeError) {
    do {
      let (state, point) = try PartitionState.read(store.flushedState)
      versions.learned(state.lastVersion)
      let loss =
        opened.loss(of: group, after: point)
        ?? recollection.loss(of: group, state.replica, after: point, opened.recovered[group])
      if let loss {
        let replica = recollection.newest(of: group, or: state.replica)
        return fences.add(group, Fence(replica: replica, words: loss, store: store, point: point))
      }
      let partition = try Partition(
        node: self, group: group, replicaID: state.replica, directory: storage.partitionDirectory(group),
        arc: state.arc, store: store, isCut: state.isCut, origin: state.origin)
      addReplica(group, id: state.replica, machine: partition, point: point, recovered: opened.recovered[group])
    } catch {
      throw .malformed(path: storage.partitionDirectory(group), words: "\(error)")
    }
  }

  /// Sets a replica of a new id going in place of one that was fenced: of what the log had, nothing counts.
  func replace(_ group: GroupID, id: ReplicaID, machine: any GroupMachine, point: SnapshotHeader) {
    pipeline.appendRemoval(of: group)
    addReplica(group, id: id, machine: machine, point: point, recovered: nil)
    applyRetention()
    planner.mapChanged()
    host.log(.info, "group \(group): replica \(id) takes the place of the damaged one")
  }

  /// Sets a replica going that the log knows nothing of yet.
  func start(_ group: GroupID, id: ReplicaID, machine: any GroupMachine, at point: SnapshotHeader) {
    addReplica(group, id: id, machine: machine, point: point, recovered: nil)
    applyRetention()
    planner.mapChanged()
  }

  private func addReplica(
    _ group: GroupID, id: ReplicaID, machine: any GroupMachine, point: SnapshotHeader, recovered: RecoveredGroup?
  ) {
    let hard = recovered?.hardState ?? StoredHardState()
    var base = (index: point.index, term: point.term)
    var entries = recovered?.entries ?? []
    if !follows(point, recovered) {
      // The group is new, or got a snapshot just before a crash: what the log has of it is void.
      entries = []
      let reset = LogWrite(group: group, reset: LogPoint(index: point.index, term: point.term))
      pipeline.append(reset, for: nil, ticket: 0, mustSync: true)
    } else if let first = entries.first, first.index <= point.index {
      // Entries that the machine has already are kept for followers that lack them: else each would need a snapshot.
      base = (first.index, first.term)
      entries.removeFirst()
    }
    host.log(
      .debug,
      "group \(group): replica \(id) stands at \(point.index), its log at \(base.index) to \(entries.last?.index ?? base.index)"
        + (recovered.map { ", found \($0.reset.index), \($0.compactedThrough), \($0.entries.count) entries" }
          ?? ", found none"))
    let seed = SplitMix64.mix(id.rawValue ^ SplitMix64.mix(UInt64(group.rawValue)) ^ now.rawValue)
    let core = RaftCore(
      id: id, options: raftOptions(for: group),
      hardState: HardState(term: hard.term, vote: hard.vote, commit: hard.commit), membership: point.membership,
      compacted: base, entries: entries, applied: point.index, seed: seed, now: now.rawValue)
    add(
      GroupReplica(
        node: self, group: group, id: id, core: core, machine: machine, applied: (point.index, point.term)))
  }

  /// Whether the log goes on from the state that the machine was flushed at, or holds the entry that it ends with.
  private func follows(_ point: SnapshotHeader, _ recovered: RecoveredGroup?) -> Bool {
    // A group of which the log holds nothing gets a record at once: so its absence later is a loss.
    guard let recovered else { return false }
    if let entry = recovered.entries.first(where: { $0.index == point.index }) { return entry.term == point.term }
    return recovered.compactedThrough == point.index
  }

  /// Makes an empty replica that the catalog wants here; its partition's leader will fill it.
  func makePartition(_ group: GroupID, replica: ReplicaID, of entry: WireCatalogPartition) {
    do {
      let arc = try Arc(validating: UInt64(entry.bits), prefix: entry.prefix)
      let point = SnapshotHeader(index: .zero, term: .zero, membership: Membership())
      let state = PartitionState(replica: replica, arc: arc, epoch: entry.epoch, lastVersion: .zero, sessions: [])
      let directory = storage.partitionDirectory(group)
      let store = try storage.createStore(group, state: state.storeState(at: point))
      let partition = try Partition(
        node: self, group: group, replicaID: replica, directory: directory, arc: arc, store: store)
      addReplica(group, id: replica, machine: partition, point: point, recovered: nil)
      applyRetention()
      host.log(.info, "partition \(group): replica \(replica) made")
    } catch StoreError.exists {
      // What is left of a split that came to nothing here: out of the way, and tried again with the next look.
      if let failure = storage.setAside(group) { host.log(.error, "partition \(group): \(failure)") }
    } catch StoreError.io(let error) where error.isDiskFull {
      // Tried again when there is room.
      space.ranOut(error)
    } catch {
      host.fatal("partition \(group): its replica can't be made: \(error)")
    }
  }

  /// Ends a replica that the catalog does not want here any more; false while a job of its store is under way.
  func dropPartition(_ group: GroupID) -> Bool {
    guard let replica = replicas[group], let partition = replica.machine as? Partition, partition.isIdle else {
      return false
    }
    checks.drop(group)
    partition.roleChanged()
    remove(group)
    // Not before: a group in the log without a store in the directory is one that has lost it.
    ending.insert(group)
    pipeline.appendRemoval(of: group) { [self] in
      partition.destroy()
      ending.remove(group)
      planner.mapChanged()
    }
    host.log(.info, "partition \(group): replica \(replica.id) ended")
    return true
  }
}
