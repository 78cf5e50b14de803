import Bytes
import Environment
import HashRing
import Raft
import Store
import Table
import Wire

/// How far a partition is with being cut in half.
struct SplitProgress {
  /// The leader's own: its command is in the log and not applied. Until it is, the upper half is not served: once it is
  /// committed, the other replicas may serve that half without this one.
  var proposed: (index: LogIndex, term: Term)?
  /// The child whose store has been made here, or is being made, before the command is applied.
  var preparing: GroupID?
  var isPrepared = false
  var isBusy = false
  /// When a failed attempt is repeated.
  var retryAt = Moment(rawValue: 0)
  /// Applied; the child begins as soon as the partition's own files say so.
  var begun: (child: GroupID, replica: ReplicaID, index: LogIndex, leads: Bool)?

  /// The sum over the records of the memtable that were there before the cut, until they have left it.
  var sumBefore: RecordDigest?

  /// Whether a child's replica is just being made here.
  func concerns(_ child: GroupID) -> Bool { preparing == child || begun?.child == child }

  /// Whether a job of it is under way, or must not be lost.
  var isUnderWay: Bool { isBusy || begun != nil }
}

// The cut. The child's store is made of the partition's own tables, by hard links, as of the entry before the command;
// then the command is applied, the partition's files are told of it, and only then the child takes part in anything. A
// crash before that leaves a store that the next start removes (`OpenedDirectory`), so that no replica ever begins twice.
extension Partition {
  /// Whether a position is the partition's own.
  func owns(_ position: Position) -> Bool { arc.contains(position) }

  /// Whether reads and writes at a position may be served here.
  func serves(_ position: Position) -> Bool {
    guard arc.contains(position) else { return false }
    return split.proposed == nil || arc.split()?.lower.contains(position) ?? true
  }

  /// Whether it was split, as far as is known here: its map says so, or its files.
  var wasSplit: Bool {
    isCut || origin != nil
      || node.catalog.catalog?.partition(group).map { $0.parent != 0 || $0.timesSplit > 0 } ?? false
  }

  /// Puts the split that the catalog wants into the log, if the membership is as the catalog thinks.
  func proposeSplit(_ entry: WireCatalogPartition) {
    guard split.proposed == nil, let replica, replica.leads, UInt32(arc.bits) == entry.bits,
      entry.split.replicas.count == entry.replicas.count
    else { return }
    let pairs = zip(entry.replicas, entry.split.replicas).map {
      (parent: ReplicaID(rawValue: $0.id), child: ReplicaID(rawValue: $1))
    }
    let command = SplitCommand(child: GroupID(rawValue: entry.split.child), bits: arc.bits, replicas: pairs)
    guard command.fits(bits: arc.bits, membership: replica.core.membership) else { return }
    do {
      let (term, index) = try replica.propose(command.encode())
      split.proposed = (index, term)
      node.host.log(.info, "partition \(group): splits, with partition \(command.child) for the upper half of its arc")
    } catch {
      node.host.log(.debug, "partition \(group): its split is not taken now: \(error)")
    }
  }

  /// The split in a log entry that takes effect here, if it is one.
  private func splitCommand(in entry: LogEntry) -> SplitCommand? {
    guard entry.kind == .command, SplitCommand.isOne(entry.payload), let replica,
      let command = try? SplitCommand(payload: entry.payload),
      command.fits(bits: arc.bits, membership: replica.core.membership), arc.split() != nil
    else { return nil }
    return command
  }

  func isReady(for entry: LogEntry) -> Bool {
    guard let command = splitCommand(in: entry), let child = childReplica(of: command) else { return true }
    guard split.preparing != command.child || !split.isPrepared else { return true }
    prepare(command, child, at: entry.index)
    return false
  }

  /// The replica of the child that is to begin here: none where the child has one already, or has had one.
  private func childReplica(of command: SplitCommand) -> ReplicaID? {
    guard let id = command.replicas.first(where: { $0.parent == replicaID })?.child,
      node.replicas[command.child] == nil, !node.fences.holds(command.child)
    else { return nil }
    if let known = node.catalog.catalog?.partition(command.child),
      !known.replicas.contains(where: { $0.id == id.rawValue })
    {
      return nil
    }
    return id
  }

  /// Brings all records to tables, then makes the child's store of them.
  private func prepare(_ command: SplitCommand, _ child: ReplicaID, at index: LogIndex) {
    guard !split.isBusy, node.now >= split.retryAt, let halves = arc.split() else { return }
    // A state on its way here would wait for this entry, and this entry for its files.
    guard !isReceiving else { return node.transfers.giveUp(group) }
    split.preparing = command.child
    let state = PartitionState(
      replica: child, arc: halves.upper, epoch: store.flushedState.epoch, lastVersion: lastVersion,
      sessions: sessions.encode(), isCut: true, origin: .init(group: group, replica: replicaID, index: index))
    let directory = node.storage.partitionDirectory(command.child)
    guard let job = store.linkJob(to: directory, state: state.storeState(at: command.childPoint)) else {
      return flush()
    }
    split.isBusy = true
    node.host.run(.flush) { () -> StoreError? in
      do throws(StoreError) {
        try job.run()
        return nil
      } catch {
        return error
      }
    } then: { [self] error in
      split.isBusy = false
      if let error {
        split.retryAt = node.now.advanced(milliseconds: Limits.jobRetryMilliseconds)
        failed("its split", error)
      } else {
        split.isPrepared = true
        replica?.resume()
      }
      node.pump()
    }
  }

  /// The command is applied: from this entry on the upper half is the child's.
  func apply(splitIn entry: LogEntry) {
    if split.proposed?.index == entry.index { split.proposed = nil }
    guard let command = splitCommand(in: entry), let halves = arc.split() else { return }
    if split.isPrepared, split.preparing == command.child, let child = childReplica(of: command) {
      split.begun = (command.child, child, entry.index, replica?.leads ?? false)
    }
    (split.preparing, split.isPrepared) = (nil, false)
    // What was applied to one half alone isn't known: both sums begin anew, at the same entry on every replica.
    split.sumBefore = store.memtableDigest
    cut(to: halves.lower)
    node.changeWaits.wasSplit(group)
    flush()
  }

  /// The arc is this one from now on, whatever the tables hold.
  func cut(to arc: Arc) {
    self.arc = arc
    isCut = true
    filterKeys()
  }

  /// Has the store show nothing but the partition's own keys.
  func filterKeys() {
    guard isCut else {
      store.keyFilter = nil
      return
    }
    let own = arc
    store.keyFilter = { own.contains(Position(ofBytes: $0)) }
  }

  /// Once no table holds keys of the other half any more, nothing needs to be told from them.
  func noticeParting() {
    guard isCut, !store.holdsOthersKeys else { return }
    isCut = false
    filterKeys()
    node.host.log(.info, "partition \(group): its files hold no keys but its own")
    flush()
  }

  /// Begins the child's replica once the partition's files say that it was cut off.
  func beginChildIfDue() {
    guard let begun = split.begun else { return }
    guard flushedIndex >= begun.index else { return flush() }
    split.begun = nil
    node.beginSplit(begun.child, replica: begun.replica, leads: begun.leads)
  }

  /// A replica that was cut from the leader's asks for votes at once, and again until the others are cut off too.
  func campaignIfNew() {
    guard let until = campaignsUntil, let replica else { return }
    guard node.now < until, replica.core.leader == .none else {
      if node.now >= until || replica.core.isLeader { campaignsUntil = nil }
      return
    }
    guard node.now >= nextCampaign else { return }
    nextCampaign = node.now.advanced(milliseconds: Limits.splitCampaignMilliseconds)
    replica.core.campaign(now: node.now.rawValue)
    node.schedule(replica)
  }
}

extension Node {
  /// Sets a replica going that was cut from its partition's.
  func beginSplit(_ group: GroupID, replica: ReplicaID, leads: Bool) {
    do {
      let directory = storage.partitionDirectory(group)
      let store = try storage.openStore(group)
      let (state, point) = try PartitionState.read(store.flushedState)
      let partition = try Partition(
        node: self, group: group, replicaID: replica, directory: directory, arc: state.arc, store: store,
        isCut: state.isCut, origin: state.origin)
      if leads { partition.campaignsUntil = now.advanced(milliseconds: Limits.splitCampaignsMilliseconds) }
      start(group, id: replica, machine: partition, at: point)
      host.log(.info, "partition \(group): replica \(replica) was split off")
    } catch {
      host.fatal("partition \(group): the replica that was split off can't be opened: \(error)")
    }
  }
}
