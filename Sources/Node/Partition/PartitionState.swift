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
  /// Older versions that they tell nevertheless, ascending. In a manifest they stand beside the floor.
  var pins: [Version] = []
  /// The sum over all records ever applied; nil where it wasn't kept from the first on.
  var applied: RecordDigest? = .zero

  init(replica: ReplicaID, arc: Arc, epoch: UInt64, lastVersion: Version, sessions: [UInt8]) {
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
    return StoreState(
      appliedIndex: point.index, appliedTerm: point.term, membership: membership.bytes, arcStart: arc.prefix,
      arcLength: UInt64(arc.bits), epoch: epoch, lastVersion: lastVersion, closedVersion: .zero, sessions: sessions,
      extra: extra.bytes)
  }

  /// The state in a manifest, and the point of the log at which it stood.
  static func read(_ state: StoreState) throws -> (PartitionState, SnapshotHeader) {
    var extra = ByteReader(state.extra)
    let replica = ReplicaID(rawValue: try extra.u64())
    let applied = extra.isAtEnd ? nil : try RecordDigest(from: &extra)
    try extra.finish()
    var reader = ByteReader(state.membership)
    let membership = try Membership(from: &reader)
    try reader.finish()
    let arc = try Arc(validating: state.arcLength, prefix: state.arcStart)
    var read = PartitionState(
      replica: replica, arc: arc, epoch: state.epoch, lastVersion: state.lastVersion, sessions: state.sessions)
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
