import Bytes
import HashRing
import Raft
import Store
import Table

/// A partition's replicated state beside its records, as manifests and transfers hold it.
struct PartitionState: Equatable {
  /// The replica that the store belongs to; a receiver puts its own.
  var replica: ReplicaID
  let arc: Arc
  let epoch: UInt64
  let lastVersion: Version
  let sessions: [UInt8]
  /// The oldest version that the records still tell. In a manifest it stands by itself.
  var floor = Version.zero
  /// Whether the tables may hold keys outside of the arc: those of a split that no compaction has dropped yet. In a
  /// transfer there are none.
  var isCut = false
  /// Where the replica was split off; nil where it came into being otherwise. It stays with the replica.
  var origin: Origin?
  /// Older versions that they tell nevertheless, ascending. In a manifest they stand beside the floor.
  var pins: [Version] = []
  /// The sum over all records applied since the partition began or was last cut by a split; nil where an older release
  /// kept none.
  var applied: RecordDigest? = .zero

  /// The bytes by which a manifest tells of a split.
  private static let cutBytes = 21

  /// A place in the log of another partition's replica on the same node.
  struct Origin: Equatable {
    let group: GroupID
    let replica: ReplicaID
    let index: LogIndex
  }

  init(
    replica: ReplicaID, arc: Arc, epoch: UInt64, lastVersion: Version, sessions: [UInt8], isCut: Bool = false,
    origin: Origin? = nil
  ) {
    self.isCut = isCut
    self.origin = origin
    self.replica = replica
    self.arc = arc
    self.epoch = epoch
    self.lastVersion = lastVersion
    self.sessions = sessions
  }

  /// The state as a manifest edit holds it, applied up to a point of the log.
  func storeState(at point: SnapshotHeader) -> StoreState {
    var membership = ByteWriter()
    point.membership.encode(into: &membership)
    var extra = ByteWriter()
    extra.u64(replica.rawValue)
    applied?.encode(into: &extra)
    if isCut || origin != nil {
      extra.u8(isCut ? 1 : 0)
      extra.u32(origin?.group.rawValue ?? 0)
      extra.u64(origin?.replica.rawValue ?? 0)
      extra.u64(origin?.index.rawValue ?? 0)
    }
    return StoreState(
      appliedIndex: point.index, appliedTerm: point.term, membership: membership.bytes, arcStart: arc.prefix,
      arcLength: UInt64(arc.bits), epoch: epoch, lastVersion: lastVersion, closedVersion: .zero, sessions: sessions,
      extra: extra.bytes)
  }

  /// The state in a manifest, and the point of the log at which it stood.
  static func read(_ state: StoreState) throws -> (PartitionState, SnapshotHeader) {
    var extra = ByteReader(state.extra)
    let replica = ReplicaID(rawValue: try extra.u64())
    // Both may be missing; their sizes tell them apart.
    let hasSum = extra.remaining != 0 && extra.remaining != PartitionState.cutBytes
    let applied = hasSum ? try RecordDigest(from: &extra) : nil
    var isCut = false
    var origin: Origin?
    if !extra.isAtEnd {
      isCut = try extra.u8() == 1
      let place = Origin(
        group: GroupID(rawValue: try extra.u32()), replica: ReplicaID(rawValue: try extra.u64()),
        index: LogIndex(rawValue: try extra.u64()))
      if place.group != .catalog { origin = place }
    }
    try extra.finish()
    var reader = ByteReader(state.membership)
    let membership = try Membership(from: &reader)
    try reader.finish()
    let arc = try Arc(validating: state.arcLength, prefix: state.arcStart)
    var read = PartitionState(
      replica: replica, arc: arc, epoch: state.epoch, lastVersion: state.lastVersion, sessions: state.sessions,
      isCut: isCut, origin: origin)
    read.applied = applied
    return (read, SnapshotHeader(index: state.appliedIndex, term: state.appliedTerm, membership: membership))
  }

  /// The form in which a transfer's trailer holds the state.
  func encode() -> [UInt8] {
    var writer = ByteWriter(capacity: 64 + sessions.count)
    writer.u64(replica.rawValue)
    arc.encode(into: &writer)
    writer.u64(epoch)
    writer.u64(lastVersion.rawValue)
    writer.string(sessions)
    writer.u64(floor.rawValue)
    writer.varint(UInt64(pins.count))
    for pin in pins { writer.u64(pin.rawValue) }
    applied?.encode(into: &writer)
    return writer.bytes
  }

  /// Reads what `encode` wrote; nil where the bytes are something else.
  init?(untrusted bytes: [UInt8]) {
    var reader = ByteReader(bytes)
    do {
      replica = ReplicaID(rawValue: try reader.u64())
      arc = try Arc(from: &reader)
      epoch = try reader.u64()
      lastVersion = Version(rawValue: try reader.u64())
      sessions = try reader.string(limit: bytes.count)
      floor = Version(rawValue: try reader.u64())
      for _ in 0..<(try reader.count(limit: Limits.namedSnapshots)) { pins.append(Version(rawValue: try reader.u64())) }
      applied = reader.isAtEnd ? nil : try RecordDigest(from: &reader)
      try reader.finish()
    } catch {
      return nil
    }
  }
}
