public import Bytes

/// Who belongs to a group, and in what role. While `outgoing` is not empty the group is in joint consensus: every
/// decision needs a majority of `voters` and one of `outgoing` (Raft paper §6).
public struct Membership: Equatable, Sendable {
  /// The most replicas that each list may hold.
  public static let limit = 64

  /// The voters; while joint, those of the new configuration. Sorted.
  public private(set) var voters: [ReplicaID]
  /// The voters of the old configuration while joint, else empty. Sorted.
  public private(set) var outgoing: [ReplicaID]
  /// Replicas that receive the log and don't vote. Sorted.
  public private(set) var learners: [ReplicaID]
  /// Old voters that become learners when the joint configuration is left. Sorted.
  public private(set) var learnersNext: [ReplicaID]
  /// Whether the leader leaves the joint configuration by itself once it is applied.
  public private(set) var autoLeave: Bool

  /// A membership that is not joint. Without voters it is that of a replica that waits for its first snapshot.
  public init(voters: [ReplicaID] = [], learners: [ReplicaID] = []) {
    self.voters = voters.sorted()
    self.learners = learners.sorted()
    outgoing = []
    learnersNext = []
    autoLeave = false
  }

  /// A membership of these parts, checked.
  public init(
    voters: [ReplicaID], outgoing: [ReplicaID], learners: [ReplicaID], learnersNext: [ReplicaID], autoLeave: Bool
  ) throws(RaftError) {
    self.voters = voters.sorted()
    self.outgoing = outgoing.sorted()
    self.learners = learners.sorted()
    self.learnersNext = learnersNext.sorted()
    self.autoLeave = autoLeave
    if let fault { throw fault }
  }

  /// Whether two majorities are needed.
  public var isJoint: Bool { !outgoing.isEmpty }

  /// Every member once, sorted.
  public var members: [ReplicaID] {
    var all: [ReplicaID] = []
    for id in (voters + outgoing + learners).sorted() where all.last != id { all.append(id) }
    return all
  }

  /// Whether the replica votes in either configuration.
  public func isVoter(_ id: ReplicaID) -> Bool { voters.contains(id) || outgoing.contains(id) }

  /// Whether the replica has any role.
  public func contains(_ id: ReplicaID) -> Bool { isVoter(id) || learners.contains(id) }

  /// Whether this replica alone decides everything.
  public func isSoleVoter(_ id: ReplicaID) -> Bool {
    voters == [id] && (outgoing.isEmpty || outgoing == [id])
  }

  /// What is wrong with it, if anything.
  private var fault: RaftError? {
    for list in [voters, outgoing, learners, learnersNext] {
      guard list.count <= Membership.limit else {
        return .invalidMembership(expected: "at most \(Membership.limit) replicas", found: "\(list.count)")
      }
      if let double = zip(list, list.dropFirst()).first(where: { $0 == $1 }) {
        return .invalidMembership(expected: "each replica once", found: "\(double.0) twice")
      }
      if list.first == ReplicaID.none {
        return .invalidMembership(expected: "replica ids above 0", found: "0")
      }
    }
    if let both = learners.first(where: isVoter) {
      return .invalidMembership(expected: "voter or learner", found: "\(both) as both")
    }
    if let stray = learnersNext.first(where: { !outgoing.contains($0) || voters.contains($0) }) {
      return .invalidMembership(expected: "a voter that leaves as next learner", found: "\(stray)")
    }
    if voters.isEmpty, isJoint || !learners.isEmpty {
      return .invalidMembership(expected: "at least one voter", found: "none")
    }
    if autoLeave, !isJoint {
      return .invalidMembership(expected: "autoLeave only while joint", found: "a simple membership")
    }
    return nil
  }
}

extension Membership {
  /// The membership after a change, or why the change can't be made. A pure function: every replica gets the same.
  public func applying(_ change: MembershipChange) throws(RaftError) -> Membership {
    var next = self
    switch change {
    case .simple(let steps):
      guard !isJoint else {
        throw .invalidMembership(expected: "the joint membership to be left first", found: "a simple change")
      }
      next.perform(steps)
      let moved = next.voters.count { !voters.contains($0) } + voters.count { !next.voters.contains($0) }
      guard moved <= 1 else {
        throw .invalidMembership(expected: "a joint change for several voters", found: "\(moved) in a simple one")
      }
    case .joint(let steps, let autoLeave):
      guard !isJoint else {
        throw .invalidMembership(expected: "the joint membership to be left first", found: "a joint change")
      }
      next.outgoing = voters
      next.perform(steps)
      next.autoLeave = autoLeave
    case .leaveJoint:
      guard isJoint else {
        throw .invalidMembership(expected: "a joint membership to leave", found: "a simple one")
      }
      next.learners = (learners + learnersNext).sorted()
      next.learnersNext = []
      next.outgoing = []
      next.autoLeave = false
    }
    guard !next.voters.isEmpty else {
      throw .invalidMembership(expected: "at least one voter", found: "none")
    }
    if let fault = next.fault { throw fault }
    return next
  }

  private mutating func perform(_ steps: [MembershipChange.Step]) {
    for step in steps {
      let id = step.replica
      let wasLearner = learners.contains(id)
      voters.removeAll { $0 == id }
      learners.removeAll { $0 == id }
      learnersNext.removeAll { $0 == id }
      switch step {
      case .addVoter: voters.append(id)
      case .addLearner where outgoing.contains(id) && !wasLearner: learnersNext.append(id)
      case .addLearner: learners.append(id)
      case .remove: break
      }
    }
    voters.sort()
    learners.sort()
    learnersNext.sort()
  }
}

extension Membership {
  /// Appends the four lists (a varint count, then u64 each) in the order of the properties, then autoLeave as u8.
  public func encode(into writer: inout ByteWriter) {
    for list in [voters, outgoing, learners, learnersNext] {
      writer.varint(UInt64(list.count))
      for id in list { writer.u64(id.rawValue) }
    }
    writer.u8(autoLeave ? 1 : 0)
  }

  /// Reads a membership that `encode` wrote.
  public init(from reader: inout ByteReader) throws(ByteError) {
    let start = reader.offset
    var lists: [[ReplicaID]] = []
    for _ in 0..<4 {
      let count = try reader.count(limit: Membership.limit)
      var list: [ReplicaID] = []
      for _ in 0..<count { list.append(ReplicaID(rawValue: try reader.u64())) }
      guard list == list.sorted() else {
        throw .malformed(offset: start, expected: "replica ids in order", found: "\(list)")
      }
      lists.append(list)
    }
    let flag = try reader.u8()
    guard flag <= 1 else {
      throw .malformed(offset: reader.offset - 1, expected: "0 or 1", found: "\(flag)")
    }
    do throws(RaftError) {
      try self.init(
        voters: lists[0], outgoing: lists[1], learners: lists[2], learnersNext: lists[3], autoLeave: flag == 1)
    } catch {
      throw .malformed(offset: start, expected: "a valid membership", found: "\(error)")
    }
  }
}
