public import Bytes

/// A change of a group's membership: the payload of a log entry of kind `membership`.
public enum MembershipChange: Equatable, Sendable {
  /// What happens to one replica.
  public enum Step: Equatable, Sendable {
    /// It becomes a voter.
    case addVoter(ReplicaID)
    /// It becomes a learner; a voter that does so in a joint change keeps its old vote until that is left.
    case addLearner(ReplicaID)
    /// It leaves the group.
    case remove(ReplicaID)

    /// The replica that the step is about.
    public var replica: ReplicaID {
      switch self {
      case .addVoter(let id), .addLearner(let id), .remove(let id): id
      }
    }
  }

  /// Steps that touch at most one voter; takes effect at once.
  case simple([Step])
  /// Any steps; takes effect as a joint configuration, which the leader leaves by itself if `autoLeave`.
  case joint([Step], autoLeave: Bool = true)
  /// Leaves the joint configuration.
  case leaveJoint

  /// The most steps of one change.
  public static let maxSteps = 2 * Membership.limit

  /// The payload of the change's log entry: kind u8 (0 simple, 1 joint, 2 joint with autoLeave, 3 leaveJoint),
  /// number of steps varint, then each step as operation u8 (0 addVoter, 1 addLearner, 2 remove) and replica u64.
  public var payload: [UInt8] {
    var writer = ByteWriter(capacity: 32)
    let steps: [Step]
    switch self {
    case .simple(let list):
      writer.u8(0)
      steps = list
    case .joint(let list, let autoLeave):
      writer.u8(autoLeave ? 2 : 1)
      steps = list
    case .leaveJoint:
      writer.u8(3)
      steps = []
    }
    writer.varint(UInt64(steps.count))
    for step in steps {
      switch step {
      case .addVoter: writer.u8(0)
      case .addLearner: writer.u8(1)
      case .remove: writer.u8(2)
      }
      writer.u64(step.replica.rawValue)
    }
    return writer.bytes
  }

  /// Reads a change out of a log entry's payload.
  public init(payload: [UInt8]) throws(ByteError) {
    var reader = ByteReader(payload)
    let kind = try reader.u8()
    var steps: [Step] = []
    for _ in 0..<(try reader.count(limit: MembershipChange.maxSteps)) {
      let operation = try reader.u8()
      let id = ReplicaID(rawValue: try reader.u64())
      switch operation {
      case 0: steps.append(.addVoter(id))
      case 1: steps.append(.addLearner(id))
      case 2: steps.append(.remove(id))
      default:
        throw .malformed(offset: reader.offset - 9, expected: "a step of 0 to 2", found: "\(operation)")
      }
    }
    try reader.finish()
    switch kind {
    case 0: self = .simple(steps)
    case 1: self = .joint(steps, autoLeave: false)
    case 2: self = .joint(steps, autoLeave: true)
    case 3 where steps.isEmpty: self = .leaveJoint
    default: throw .malformed(offset: 0, expected: "a change of kind 0 to 3", found: "\(kind)")
    }
  }
}
