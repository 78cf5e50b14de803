import Bytes
import Raft

/// The command of a partition's log that cuts its arc in half: it keeps the lower half, and another group begins with
/// the upper one, on the same nodes.
///
///     kind u8 = 3 | child's group u32 | bits of the arc before u8 | replicas varint | replica …
///     replica: the partition's u64 | the child's u64
///
/// It takes effect only where it is applied to a partition with just that arc and just those voters: then it does so on
/// every replica. So splits and changes of the membership exclude each other.
struct SplitCommand: Equatable {
  static let kindCode = PartitionCommand.Kind.split.rawValue

  let child: GroupID
  let bits: UInt8
  let replicas: [(parent: ReplicaID, child: ReplicaID)]

  static func == (left: SplitCommand, right: SplitCommand) -> Bool {
    left.child == right.child && left.bits == right.bits
      && left.replicas.elementsEqual(right.replicas) { $0 == $1 }
  }

  /// Whether a log entry is one.
  static func isOne(_ payload: [UInt8]) -> Bool { payload.first == kindCode }

  /// The payload of its log entry.
  func encode() -> [UInt8] {
    var writer = ByteWriter(capacity: 16 + 16 * replicas.count)
    writer.u8(SplitCommand.kindCode)
    writer.u32(child.rawValue)
    writer.u8(bits)
    writer.varint(UInt64(replicas.count))
    for (parent, child) in replicas {
      writer.u64(parent.rawValue)
      writer.u64(child.rawValue)
    }
    return writer.bytes
  }

  init(child: GroupID, bits: UInt8, replicas: [(parent: ReplicaID, child: ReplicaID)]) {
    self.child = child
    self.bits = bits
    self.replicas = replicas
  }

  /// Reads what `encode` wrote.
  init(payload: [UInt8]) throws(ByteError) {
    var reader = ByteReader(payload)
    let kind = try reader.u8()
    guard kind == SplitCommand.kindCode else {
      throw .malformed(offset: 0, expected: "a partition command of kind \(SplitCommand.kindCode)", found: "\(kind)")
    }
    child = GroupID(rawValue: try reader.u32())
    bits = try reader.u8()
    var replicas: [(parent: ReplicaID, child: ReplicaID)] = []
    for _ in 0..<(try reader.count(limit: Membership.limit)) {
      replicas.append((ReplicaID(rawValue: try reader.u64()), ReplicaID(rawValue: try reader.u64())))
    }
    self.replicas = replicas
    try reader.finish()
  }

  /// Whether it takes effect on a partition with these bits and members.
  func fits(bits: UInt8, membership: Membership) -> Bool {
    self.bits == bits && !membership.isJoint && membership.learners.isEmpty
      && membership.voters == replicas.map(\.parent).sorted()
  }

  /// Where the child's log begins, on each of its replicas.
  var childPoint: SnapshotHeader {
    SnapshotHeader(
      index: LogIndex(rawValue: 1), term: Term(rawValue: 1), membership: Membership(voters: replicas.map(\.child)))
  }
}
