import Bytes
import HashRing
import Raft
import Wire

// What a node says of itself.
extension Node {
  func status() -> WireStatusResponse {
    var status = WireStatusResponse()
    status.node = id.rawValue
    status.cluster = cluster
    status.format = catalog.catalog?.state.format ?? 0
    status.members = catalog.catalog?.members ?? []
    status.floor = catalog.catalog?.floor.rawValue ?? 0
    status.retentionMs = catalog.catalog?.retentionMilliseconds ?? 0
    status.logBytes = UInt64(pipeline.logBytes.rawValue)
    status.diskFreeBytes = (try? storage.disk.freeBytes(storage.directory)) ?? 0
    status.moving = UInt32(catalog.catalog?.movingCount ?? 0)
    status.moveRate = catalog.catalog?.state.moveRate ?? 0
    for group in replicas.keys.sorted() {
      guard let replica = replicas[group] else { continue }
      status.groups.append(groupStatus(replica))
    }
    status.problems += replicas.keys.sorted().compactMap { replicas[$0]?.problem }
    status.problems += estrangements
    status.readOnly = space.isFull
    status.problems += clocks.problems
    if let problem = space.problem { status.problems.append(problem) }
    if let problem = logMending.problem { status.problems.append(problem) }
    status.problems += fences.missed.compactMap { fences.problem(of: $0.group) }
    status.damage = Array((damage.found + partitions.flatMap(\.store.damagedPaths)).prefix(Limits.damageListed))
    if damage.inTables > 0 {
      let places = damage.inTables == 1 ? "1 place" : "\(damage.inTables) places"
      status.problems.append("\(places) in tables can't be read; kv status --json lists what is damaged")
    }
    for partition in partitions
    where catalog.catalog?.isDamaged(partition.replicaID, of: partition.group) == true
      && !damage.sound.contains(partition.replicaID)
    {
      status.problems.append(
        "partition \(partition.group): files of its replica on node \(id) are damaged; "
          + "kv verify --partition \(partition.group) says what of them, and how they are mended")
    }
    status.problems += partitions.compactMap { partition in
      guard partition.replica?.leads == true, let report = backgroundChecks.result(of: partition.group)?.report,
        report.replicas.contains(where: { $0.outcome == .differs })
      else { return nil }
      return "partition \(partition.group): its replicas differ; kv verify --partition \(partition.group) says in what"
    }
    for (group, fence) in fences.missed {
      status.groups.append(
        .with {
          $0.group = group.rawValue
          $0.replica = fence.replica?.rawValue ?? ReplicaID(node: id, incarnation: 0).rawValue
          $0.role = .learner
          $0.fenced = true
        })
    }
    status.notes = notes
    if isRecollecting {
      status.problems.append("the replicas wait for what the other members remember of them, a second at most")
    }
    if catalog.catalog == nil { status.problems.append("the node has not heard from its cluster yet") }
    host.authority.processStatus(into: &status)
    return status
  }

  /// What is under way in the cluster, and waits for somebody.
  private var notes: [String] {
    guard let catalog = catalog.catalog, replicas[.catalog]?.leads == true else { return [] }
    var notes: [String] = []
    if let words = formatRise.note(on: catalog) { notes.append(words) }
    if catalog.isRotating {
      notes.append("the cluster's authority is being replaced: kv cert rotate says who has not followed")
    }
    return notes
  }

  private func groupStatus(_ replica: GroupReplica) -> WireStatusResponse.GroupStatus {
    let raft = replica.core.status
    var status = WireStatusResponse.GroupStatus()
    status.group = replica.group.rawValue
    status.replica = replica.id.rawValue
    status.role =
      switch raft.role {
      case .leader: .leader
      case .candidate, .preCandidate: .candidate
      case .follower: raft.membership.isVoter(replica.id) ? .follower : .learner
      }
    status.term = raft.term.rawValue
    status.leader = raft.leader.rawValue
    status.commit = raft.commit.rawValue
    status.applied = raft.applied.rawValue
    status.last = raft.lastIndex.rawValue
    status.voters = raft.membership.voters.map(\.rawValue)
    status.learners = raft.membership.learners.map(\.rawValue)
    if raft.role == .leader { status.stateless = raft.votersWithoutState.map(\.rawValue) }
    if let progress = transfers.progress(of: replica.group) {
      status.arrivedBytes = progress.arrived
      status.arrivingBytes = progress.total
      status.arrivingMs = progress.milliseconds
    }
    if let partition = replica.machine as? Partition {
      status.bits = UInt32(partition.arc.bits)
      status.prefix = partition.arc.prefix
      status.memtableBytes = UInt64(partition.store.memtableBytes)
      status.tableBytes = partition.store.levels.reduce(0) { $0 + $1.bytes }
      status.historyBytes = partition.store.historyLevels.reduce(0) { $0 + $1.bytes }
      status.compactionDebt = partition.store.debtBytes
      status.pressure =
        switch partition.store.pressure {
        case .none: 0
        case .slow: 1
        case .stop: 2
        }
      status.lastVersion = partition.lastVersion.rawValue
      status.sessions = UInt64(partition.sessions.count)
      status.outcomes = UInt64(partition.sessions.outcomeCount)
      if replica.leads { status.add(backgroundChecks.result(of: replica.group)) }
    }
    return status
  }
}
