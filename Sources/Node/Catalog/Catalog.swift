import Bytes
import HashRing
import Wire

/// The catalog's state: members, partition map, tokens, the oracle's ceiling. The same after the same commands on
/// every replica; it reads no clock.
struct Catalog {
  /// All of it, in the form of its snapshot.
  var state: WireCatalogState
  /// The partition map that the state holds.
  var map: PartitionMap

  /// A catalog with this state, checked.
  init(_ state: WireCatalogState) throws(RingError) {
    self.state = state
    map = try Catalog.map(of: state)
  }

  /// The state of a new cluster: one node that holds one replica of each of a power of two of partitions.
  static func bootstrap(
    cluster: String, partitions: Int, format: UInt32, authority: [UInt8], node: WireCatalogNode,
    certificates: [WireCertificate] = []
  ) throws(RingError) -> Catalog {
    var state = WireCatalogState()
    state.cluster = cluster
    state.format = format
    state.nextNode = node.id + 1
    state.nextIncarnation = 2
    state.nextGroup = UInt32(partitions) + 1
    state.epoch = 1
    state.replicasWanted = 3
    state.nodes = [node]
    state.certificates = certificates
    state.authority = .init(authority)
    let first = ReplicaID(node: NodeID(rawValue: node.id), incarnation: 1)
    for (place, arc) in try Arc.equalParts(count: partitions).enumerated() {
      var partition = WireCatalogPartition()
      partition.group = UInt32(place) + 1
      partition.bits = UInt32(arc.bits)
      partition.prefix = arc.prefix
      partition.epoch = 1
      partition.replicas = [.with { $0.id = first.rawValue }]
      state.partitions.append(partition)
    }
    return try Catalog(state)
  }

  /// The newest format that log commands and files may use.
  var format: UInt32 { state.format }
  /// The version above which the oracle gives out none.
  var ceiling: Version { Version(rawValue: state.ceiling) }
  /// The oldest version still readable.
  var floor: Version { Version(rawValue: state.floor) }
  /// How long versions are kept, in milliseconds.
  var retentionMilliseconds: UInt64 { state.retentionMs == 0 ? Limits.retentionMilliseconds : state.retentionMs }
  /// The members, by ascending id.
  var nodes: [WireCatalogNode] { state.nodes }

  /// The member with this id.
  func node(_ id: NodeID) -> WireCatalogNode? { state.nodes.first { $0.id == id.rawValue } }

  /// The node that should lead a group, of those that hold it; nil: whichever.
  func preferredLeader(of group: GroupID) -> NodeID? {
    guard let partition = partition(group) else { return nil }
    let preferred = NodeID(rawValue: partition.preferred)
    return partition.replicas.contains { ReplicaID(rawValue: $0.id).node == preferred } ? preferred : nil
  }

  /// Whether a replica is one of a partition's.
  func holds(_ replica: ReplicaID, of group: GroupID) -> Bool {
    partition(group)?.replicas.contains { $0.id == replica.rawValue } ?? false
  }

  /// Whether files of a replica are known to be damaged.
  func isDamaged(_ replica: ReplicaID, of group: GroupID) -> Bool {
    state.damaged.contains { $0.group == group.rawValue && $0.replica == replica.rawValue }
  }

  /// Whether this state is younger than a replica's id. An older one, as a node has it after a restart until its log
  /// is applied, doesn't list the replica either, and says nothing of it: it must not end it.
  func hasGivenOut(_ replica: ReplicaID) -> Bool { replica.incarnation < state.nextIncarnation }

  /// The catalog's entry for a partition.
  func partition(_ group: GroupID) -> WireCatalogPartition? {
    state.partitions.first { $0.group == group.rawValue }
  }

  /// The members as clients and peers are told of them.
  var members: [WireMember] {
    let replicas = replicaCounts
    return state.nodes.map { node in
      .with {
        $0.id = node.id
        $0.address = node.address
        $0.zone = node.zone
        $0.catalogIncarnation = node.catalogIncarnation
        $0.weight = node.share
        $0.departure = UInt32(node.departure.rawValue)
        $0.replicas = UInt32(replicas[NodeID(rawValue: node.id)] ?? 0)
      }
    }
  }

  static func map(of state: WireCatalogState) throws(RingError) -> PartitionMap {
    var entries: [PartitionEntry] = []
    for partition in state.partitions {
      entries.append(
        PartitionEntry(
          group: GroupID(rawValue: partition.group),
          arc: try Arc(validating: UInt64(partition.bits), prefix: partition.prefix),
          epoch: partition.epoch,
          replicas: partition.replicas.map {
            ReplicaAssignment(replica: ReplicaID(rawValue: $0.id), state: $0.assignment)
          }))
    }
    return try PartitionMap(epoch: state.epoch, partitions: entries)
  }
}

extension WireCatalogNode {
  /// The node's replica of the catalog.
  var catalogReplica: ReplicaID {
    ReplicaID(node: NodeID(rawValue: id), incarnation: max(1, catalogIncarnation))
  }
}

extension WireCatalogPartition.Replica {
  fileprivate var assignment: ReplicaAssignment.State {
    switch state {
    case .joining: .joining
    case .leaving: .leaving
    case .voter, .UNRECOGNIZED: .voter
    }
  }
}

// The commands.
extension Catalog {
  /// Applies a command. A refused one leaves everything as it was.
  mutating func apply(_ command: WireCatalogCommand) throws(Refusal) {
    switch command.body {
    case .raiseCeiling(let ceiling): state.ceiling = max(state.ceiling, ceiling)
    case .addNode(let node): try add(node)
    case .addToken(let token): try add(token)
    case .addCertificate(let certificate): try add(certificate)
    case .revokeCertificates(let revocation): try apply(revocation)
    case .raiseFormat(let rise): try apply(rise)
    case .beginRotation(let rotation): try apply(rotation)
    case .endRotation(let generation): try endRotation(at: generation)
    case .changePartition(let change): try apply(change)
    case .confirmPartition(let confirmation): try apply(confirmation)
    case .setAddress(let change): try apply(change)
    case .setRetention(let milliseconds): state.retentionMs = milliseconds
    case .raiseFloor(let floor): state.floor = max(state.floor, floor)
    case .setSpace(let change): try apply(change)
    case .replaceReplica(let loss): try apply(loss)
    case .departNode(let departure): try apply(departure)
    case .removeNode(let id): try remove(NodeID(rawValue: id))
    case .setPlace(let place): try apply(place)
    case .setMoveRate(let rate): state.moveRate = rate
    case .beginSplit(let intent): try apply(intent)
    case .confirmSplit(let confirmation): try apply(confirmation)
    case .createSnapshot(let snapshot): try create(snapshot)
    case .recover(let recovery): try apply(recovery)
    case .deleteSnapshot(let name): state.snapshots.removeAll { $0.name == name }
    case .reportDamage(let damage): try apply(damage)
    case nil: throw .malformed("an empty catalog command, or one of a newer format")
    }
  }

  private mutating func add(_ node: WireCatalogNode) throws(Refusal) {
    guard node.id == state.nextNode else { throw .stale("the next node is \(state.nextNode)") }
    guard max(NodeDirectory.oldestFormat, node.format) >= state.format else {
      throw .stale("the cluster's format is \(state.format)")
    }
    guard state.nodes.count < Limits.nodes else { throw .tooMany("the cluster has \(Limits.nodes) nodes") }
    guard let place = state.tokens.firstIndex(where: { $0.hash == node.token }) else { throw .unknownToken }
    state.tokens.remove(at: place)
    state.nodes.append(node)
    state.nextNode += 1
  }

  private mutating func apply(_ rise: WireCatalogCommand.FormatRise) throws(Refusal) {
    if let other = state.nodes.first(where: { !rise.nodes.contains($0.id) }) {
      throw .stale("nobody knows which formats node \(other.id) supports")
    }
    state.format = max(state.format, rise.format)
  }

  private mutating func add(_ token: WireCatalogToken) throws(Refusal) {
    let now = ceiling.milliseconds
    state.tokens.removeAll { $0.expires + Oracle.ceilingLeadMilliseconds < now }
    guard state.tokens.count < Limits.tokens else { throw .tooMany("\(Limits.tokens) invitations are open") }
    state.tokens.append(token)
  }

  private mutating func apply(_ change: WireCatalogCommand.NodeAddress) throws(Refusal) {
    guard let place = state.nodes.firstIndex(where: { $0.id == change.node }) else {
      throw .stale("no node \(change.node)")
    }
    state.nodes[place].address = change.address
  }

  private mutating func apply(_ change: WireCatalogCommand.NodeSpace) throws(Refusal) {
    guard let place = state.nodes.firstIndex(where: { $0.id == change.node }) else {
      throw .stale("no node \(change.node)")
    }
    state.nodes[place].isFull = change.isFull
  }

  /// Gives a node another replica in place of one whose promises are lost. The old one takes part in nothing any more;
  /// the group's leader takes it out of the membership.
  private mutating func apply(_ loss: WireCatalogCommand.ReplicaLoss) throws(Refusal) {
    let lost = ReplicaID(rawValue: loss.replica)
    guard loss.group != GroupID.catalog.rawValue else { return try replaceCatalogReplica(lost) }
    guard let place = state.partitions.firstIndex(where: { $0.group == loss.group }),
      let replica = state.partitions[place].replicas.firstIndex(where: { $0.id == loss.replica })
    else { throw .stale("partition \(loss.group) has no replica \(lost)") }
    var partition = state.partitions[place]
    guard partition.replicas.count > 1 else { throw .malformed("the only replica can't be replaced") }
    guard !partition.hasSplit else { throw .stale("partition \(loss.group) is being split") }
    partition.replicas[replica] = .with {
      $0.id = ReplicaID(node: lost.node, incarnation: state.nextIncarnation).rawValue
      $0.state = .joining
    }
    state.nextIncarnation += 1
    try self.replace(place, with: partition)
  }

  private mutating func apply(_ damage: WireReplicaDamage) throws(Refusal) {
    let replica = ReplicaID(rawValue: damage.replica)
    guard let entry = partition(GroupID(rawValue: damage.group)),
      entry.replicas.contains(where: { $0.id == damage.replica })
    else { throw .stale("partition \(damage.group) has no replica \(replica)") }
    if !isDamaged(replica, of: GroupID(rawValue: damage.group)) { state.damaged.append(damage) }
  }

  private mutating func replaceCatalogReplica(_ lost: ReplicaID) throws(Refusal) {
    guard let place = state.nodes.firstIndex(where: { $0.id == lost.node.rawValue }),
      state.nodes[place].catalogReplica == lost
    else { throw .stale("the catalog has no replica \(lost)") }
    guard state.nodes.count > 1 else { throw .malformed("the only replica can't be replaced") }
    state.nodes[place].catalogIncarnation = state.nextIncarnation
    state.nextIncarnation += 1
  }

  func place(of group: UInt32, at epoch: UInt64) throws(Refusal) -> Int {
    guard let place = state.partitions.firstIndex(where: { $0.group == group }) else {
      throw .stale("no partition \(group)")
    }
    guard state.partitions[place].epoch == epoch else {
      throw .stale("partition \(group) is at epoch \(state.partitions[place].epoch)")
    }
    return place
  }

  private mutating func apply(_ change: WireCatalogCommand.PartitionChange) throws(Refusal) {
    let place = try place(of: change.group, at: change.epoch)
    var partition = state.partitions[place]
    guard !partition.hasSplit else { throw .stale("partition \(change.group) is being split") }
    for id in change.add {
      guard let node = node(NodeID(rawValue: id)), node.departure == .stays else { throw .stale("no node \(id)") }
      guard !partition.replicas.contains(where: { ReplicaID(rawValue: $0.id).node.rawValue == id }) else {
        throw .stale("node \(id) has a replica of partition \(change.group)")
      }
      let replica = ReplicaID(node: NodeID(rawValue: id), incarnation: state.nextIncarnation)
      state.nextIncarnation += 1
      partition.replicas.append(
        .with {
          $0.id = replica.rawValue
          $0.state = .joining
        })
    }
    for id in change.remove {
      guard let leaver = partition.replicas.firstIndex(where: { $0.id == id }) else { throw .stale("no replica \(id)") }
      partition.replicas[leaver].state = .leaving
    }
    if change.preferred != 0 { partition.preferred = change.preferred }
    try replace(place, with: partition)
  }

  private mutating func apply(_ confirmation: WireCatalogCommand.PartitionConfirmation) throws(Refusal) {
    let place = try place(of: confirmation.group, at: confirmation.epoch)
    var partition = state.partitions[place]
    partition.replicas = partition.replicas.compactMap { replica in
      let votes = confirmation.voters.contains(replica.id)
      if replica.state == .leaving && !votes { return nil }
      guard replica.state == .joining && votes else { return replica }
      return .with { $0.id = replica.id }
    }
    try replace(place, with: partition)
  }

  mutating func replace(_ place: Int, with partition: WireCatalogPartition) throws(Refusal) {
    var next = state
    next.partitions[place] = partition
    next.partitions[place].epoch += 1
    next.damaged.removeAll { damage in
      damage.group == partition.group && !partition.replicas.contains { $0.id == damage.replica }
    }
    next.epoch += 1
    do {
      map = try Catalog.map(of: next)
      state = next
    } catch {
      throw .malformed("\(error)")
    }
  }
}

// A cluster that begins with the records of another.
extension Catalog {
  /// Has versions begin above one, and readable ones with another.
  mutating func begin(above version: Version, floor: Version) {
    state.ceiling = max(state.ceiling, version.rawValue)
    state.floor = max(state.floor, floor.rawValue)
  }
}

// Named snapshots.
extension Catalog {
  /// The oldest version from which on all is readable, and those below it that are too, ascending: of one moment, so
  /// that what replicas drop by it is never what a snapshot holds.
  var retained: (floor: Version, pins: [Version]) {
    (floor, Set(state.snapshots.map { Version(rawValue: $0.version) }).filter { $0 < floor }.sorted())
  }

  /// Whether a snapshot holds this very version.
  func isPinned(_ version: Version) -> Bool { state.snapshots.contains { $0.version == version.rawValue } }

  private mutating func create(_ snapshot: WireNamedSnapshot) throws(Refusal) {
    let version = Version(rawValue: snapshot.version)
    if let known = state.snapshots.first(where: { $0.name == snapshot.name }) {
      guard known.version == snapshot.version else {
        throw .nameTaken("a snapshot named \(snapshot.name) is of version \(known.version)")
      }
      return
    }
    guard version >= floor || isPinned(version) else { throw .notRetained(floor: floor) }
    guard state.snapshots.count < Limits.namedSnapshots else {
      throw .tooMany("the cluster has \(Limits.namedSnapshots) named snapshots; delete some")
    }
    let place = state.snapshots.firstIndex { $0.name > snapshot.name } ?? state.snapshots.count
    state.snapshots.insert(snapshot, at: place)
  }
}

// One node goes on where a quorum was lost.
extension Catalog {
  /// Whether a node was struck out: it takes part in nothing any more, whatever it still has.
  func isStruckOut(_ node: NodeID) -> Bool {
    state.recoveries.contains { $0.lost.contains(node.rawValue) }
  }

  private mutating func apply(_ recovery: WireRecovery) throws(Refusal) {
    var next = state
    next.nodes.removeAll { recovery.lost.contains($0.id) }
    guard !next.nodes.isEmpty else { throw .malformed("a recovery leaves a node") }
    let adopted = Dictionary(recovery.adopted.map { ($0.group, $0.replica) }) { first, _ in first }
    for replica in adopted.values {
      next.nextIncarnation = max(next.nextIncarnation, ReplicaID(rawValue: replica).incarnation &+ 1)
    }
    for place in next.partitions.indices {
      if let replica = adopted[next.partitions[place].group] {
        next.partitions[place].replicas = [.with { $0.id = replica }]
      }
      next.partitions[place].replicas = next.partitions[place].replicas.compactMap { replica in
        guard !recovery.lost.contains(ReplicaID(rawValue: replica.id).node.rawValue) else { return nil }
        return .with { $0.id = replica.id }
      }
      if next.partitions[place].hasSplit {
        next.partitions[place].split.replicas.removeAll {
          recovery.lost.contains(ReplicaID(rawValue: $0).node.rawValue)
        }
      }
      if recovery.lost.contains(next.partitions[place].preferred) { next.partitions[place].preferred = 0 }
      next.partitions[place].epoch += 1
    }
    let partitions = next.partitions
    next.damaged.removeAll { damage in
      !partitions.contains { $0.group == damage.group && $0.replicas.contains { $0.id == damage.replica } }
    }
    next.epoch += 1
    // What the lost nodes have given out since this one heard of them last lies below, as far as their clocks agreed.
    next.ceiling = max(next.ceiling, Recovery.horizon(at: recovery.timeMs).rawValue)
    next.recoveries.append(recovery)
    do throws(RingError) {
      map = try Catalog.map(of: next)
    } catch {
      throw .malformed("\(error)")
    }
    state = next
  }
}
