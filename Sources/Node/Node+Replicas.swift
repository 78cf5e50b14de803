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
    options.maxLogBytes = storage.options.keptLogBytes
    // An append for each commit would double the messages of a write, and nobody waits for a partition's follower; but
    // all nodes wait for the catalog's word.
    options.tellsCommitAtOnce = group == .catalog
    return options
  }

  /// Sets the node going over what its directory held.
  public func start(_ opened: OpenedDirectory) throws(NodeError) {
    if let (state, point) = opened.catalog {
      try check(point, of: .catalog, opened)
      catalog.restore(state, savedIndex: point.index)
      addReplica(
        .catalog, id: ReplicaID(node: id, incarnation: 1), machine: catalog, point: point,
        recovered: opened.recovered[.catalog])
      host.membersChanged(state.members)
    } else {
      addReplica(
        .catalog, id: ReplicaID(node: id, incarnation: 1), machine: catalog,
        point: SnapshotHeader(index: .zero, term: .zero, membership: Membership()),
        recovered: opened.recovered[.catalog])
      host.membersChanged(opened.identity.stored.members)
    }
    for (group, store) in opened.stores {
      do {
        let (state, point) = try PartitionState.read(store.flushedState)
        let partition = try Partition(
          node: self, group: group, replicaID: state.replica, directory: storage.partitionDirectory(group),
          arc: state.arc, store: store)
        versions.learned(state.lastVersion)
        try check(point, of: group, opened)
        addReplica(group, id: state.replica, machine: partition, point: point, recovered: opened.recovered[group])
      } catch let error as NodeError {
        throw error
      } catch {
        throw .malformed(path: storage.partitionDirectory(group), words: "\(error)")
      }
    }
    applyFloor()
    planner.mapChanged()
    pump()
  }

  /// Refuses a state that is older than what the log has let go of: entries between the two were acknowledged, and are
  /// lost here. One that knows no members yet is a new replica's, and the log one of its forerunner's.
  private func check(_ point: SnapshotHeader, of group: GroupID, _ opened: OpenedDirectory) throws(NodeError) {
    guard let recovered = opened.recovered[group], recovered.compactedThrough > point.index,
      !point.membership.voters.isEmpty
    else { return }
    throw .malformed(
      path: group == .catalog ? NodeDirectory.catalogPath(storage.directory) : storage.partitionDirectory(group),
      words:
        "the state of group \(group) ends at entry \(point.index), its log begins after \(recovered.compactedThrough)")
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
    guard let recovered else { return point.index == .zero }
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
      let store = try storage.createStore(directory, state: state.storeState(at: point))
      let partition = try Partition(
        node: self, group: group, replicaID: replica, directory: directory, arc: arc, store: store)
      addReplica(group, id: replica, machine: partition, point: point, recovered: nil)
      applyFloor()
      host.log(.info, "partition \(group): replica \(replica) made")
    } catch StoreError.io(let error) where error.isDiskFull {
      // Tried again when there is room.
      space.ranOut(error)
    } catch {
      host.fatal("partition \(group): its replica can't be made: \(error)")
    }
  }

  /// Ends a replica that the catalog does not want here any more.
  func dropPartition(_ group: GroupID) {
    guard let replica = replicas[group], let partition = replica.machine as? Partition, partition.isIdle else { return }
    partition.roleChanged()
    remove(group)
    pipeline.append(LogWrite(group: group, removed: true), for: nil, ticket: 0, mustSync: true)
    partition.destroy()
    host.log(.info, "partition \(group): replica \(replica.id) ended")
  }
}
