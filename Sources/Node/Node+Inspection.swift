package import Bytes
import HashRing
import Raft
import Store

// What a simulator looks at from outside: whether replicas hold the same, and whether anything piles up.
extension Node {
  /// A write as a partition's log entry has it.
  package struct LoggedWrite: Equatable {
    /// The request id.
    package let session: [UInt64]
    package let sequence: UInt64
    package let version: Version
    package let key: [UInt8]
    /// Nil: the key was deleted.
    package let value: [UInt8]?
  }

  /// The writes in an entry of a partition's log that are done when it is applied here next: not those of keys that the
  /// partition doesn't own any more. None in an entry that is empty or of another kind.
  package func writes(in entry: LogEntry, of group: GroupID) throws(ByteError) -> [LoggedWrite] {
    let partition = replicas[group]?.machine as? Partition
    guard entry.kind == .command, !entry.payload.isEmpty, !SplitCommand.isOne(entry.payload),
      !AcknowledgementCommand.isOne(entry.payload), CheckMark(payload: entry.payload) == nil
    else { return [] }
    var writes: [LoggedWrite] = []
    var id: RequestID?
    _ = try PartitionCommand.decode(entry.payload) { key in
      partition?.owns(Position(ofBytes: entry.payload, range: key)) ?? true
    } each: { write in
      id = write.identity?.id ?? id
      guard let id else { return }
      writes.append(
        LoggedWrite(
          session: [id.session.high, id.session.low], sequence: id.sequence, version: write.version,
          key: Array(entry.payload[write.key]),
          value: write.kind == .value ? Array(entry.payload[write.value]) : nil))
    }
    return writes
  }

  /// The state of one replica, comparable between replicas that have applied the same.
  package struct ReplicaImage: Equatable {
    package let applied: LogIndex
    /// Over the latest records, the request ids and the last version, whatever the files look like.
    package let digest: UInt64
    package let records: Int
  }

  /// What the replica of a partition holds now, read from its store; nil where there is none or it has no state yet.
  package func image(of group: GroupID) throws -> ReplicaImage? {
    guard let replica = replicas[group], let partition = replica.machine as? Partition, partition.hasState else {
      return nil
    }
    var digest = Position(ofBytes: partition.sessions.encode()).rawValue ^ partition.lastVersion.rawValue
    var records = 0
    let cursor = try partition.store.cursor(at: .max)
    while let record = try cursor.next() {
      var bytes = ByteWriter()
      record.encode(into: &bytes)
      digest = SplitMix64.mix(digest ^ Position(ofBytes: bytes.bytes).rawValue)
      records += 1
    }
    return ReplicaImage(applied: replica.applied.index, digest: digest, records: records)
  }

  /// Whether a node is a member, as far as this one knows; nil where it knows nothing.
  package func isMember(_ id: NodeID) -> Bool? { catalog.catalog.map { $0.node(id) != nil } }

  /// Whether nothing is on the move and all replicas that are led here have as many voters as are wanted, as far as this
  /// node knows.
  package var isSettled: Bool {
    guard let catalog = catalog.catalog, catalog.movingCount == 0, catalog.nodes.allSatisfy({ $0.departure == .stays })
    else { return false }
    let seats = Limits.catalogVoters(ofNodes: catalog.staying.count)
    return replicas.values.allSatisfy { replica in
      let membership = replica.core.membership
      let wanted = replica.group == .catalog ? seats : catalog.replicasWanted
      return !replica.leads || !membership.isJoint && membership.voters.count == wanted
    }
  }

  /// The groups that have a replica here, ascending.
  package var groups: [GroupID] { replicas.keys.sorted() }

  /// Whether the replicas still wait for what others remember of them.
  package var isRecollecting: Bool { recollection != nil }

  /// What was found of the replicas here that take no part until they are replaced, in words.
  package var fencedReplicas: [String] { fences.all.compactMap { fences.problem(of: $0.group) } }

  /// Whether the replica of a group here leads it.
  package func leads(_ group: GroupID) -> Bool { replicas[group]?.leads ?? false }

  /// The partition of a key, as far as this node knows the map.
  package func group(of key: [UInt8]) -> GroupID? {
    catalog.catalog?.map.lookup(Position(ofBytes: key)).group
  }

  /// How much waits in each queue of the node, by name.
  package var queueLengths: [(name: String, count: Int)] {
    var lengths: [(name: String, count: Int)] = [
      ("calls", calls.count), ("parked requests", router.parkedCount), ("asked requests", router.askedCount),
      ("log writes", pipeline.waitingCount), ("transfers", transfers.count), ("oracle", catalog.waitingCount),
      ("held messages of consensus", outbox.count),
    ]
    let groups = order.compactMap { replicas[$0] }
    lengths.append(("held checks", checks.count))
    lengths.append(("checks", verifier.count))
    lengths.append(("held messages", groups.reduce(0) { $0 + $1.heldCount }))
    lengths.append(("reads", groups.reduce(0) { $0 + $1.readCount }))
    lengths.append(("writes", partitions.reduce(0) { $0 + $1.writes.count }))
    lengths.append(("barriers", partitions.reduce(0) { $0 + $1.barriers.count }))
    lengths.append(("waits for changes", changeWaits.count))
    return lengths
  }
}
