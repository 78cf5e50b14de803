public import Bytes

extension RaftCore {
  /// Appends commands to the log, in order. The caller learns their fate from the entries it applies: one of these
  /// indices with another term means that the command is lost.
  public mutating func propose(
    _ payloads: [[UInt8]], now: UInt64
  ) throws(RaftError) -> (term: Term, first: LogIndex) {
    observe(now)
    precondition(!payloads.isEmpty, "nothing to propose")
    try checkProposal()
    var size = 0
    for payload in payloads {
      guard payload.count <= Limits.entryBytes.rawValue else {
        throw .payloadTooLarge(bytes: payload.count, limit: Limits.entryBytes.rawValue)
      }
      size += payload.count
    }
    // With nothing outstanding any size goes, else a single large one could never be written.
    guard uncommittedBytes == 0 || uncommittedBytes + size <= options.maxUncommittedBytes else {
      throw .uncommittedLimit(bytes: uncommittedBytes + size, limit: options.maxUncommittedBytes)
    }
    let first = log.lastIndex.next
    for payload in payloads {
      log.append(LogEntry(term: term, index: log.lastIndex.next, payload: payload))
    }
    uncommittedBytes += size
    replicationDue = true
    notIdle()
    return (term, first)
  }

  /// Appends a change of the membership. It takes effect where `apply(membership:at:now:)` is called for its entry.
  public mutating func propose(membership change: MembershipChange, now: UInt64) throws(RaftError) -> LogIndex {
    observe(now)
    try checkProposal()
    guard applied >= pendingChange else { throw .changePending(index: pendingChange) }
    let next = try members.applying(change)
    append(change, leadingTo: next)
    return log.lastIndex
  }

  private func checkProposal() throws(RaftError) {
    guard role == .leader else { throw .notLeader(hint: leader) }
    if let transfer { throw .transferring(to: transfer.target) }
  }

  private mutating func append(_ change: MembershipChange, leadingTo next: Membership) {
    let payload = change.payload
    log.append(LogEntry(term: term, index: log.lastIndex.next, kind: .membership, payload: payload))
    uncommittedBytes += payload.count
    pendingChange = log.lastIndex
    pendingChangeUnseats = next.voters.count == 1 && !next.voters.contains(id)
    replicationDue = true
    notIdle()
  }

  /// Leaves a joint configuration that says so, once it is in force here and no other change is in the log.
  mutating func leaveJointIfDue() {
    guard role == .leader, transfer == nil, members.autoLeave, applied >= pendingChange else { return }
    guard let next = try? members.applying(.leaveJoint) else { return }
    append(.leaveJoint, leadingTo: next)
  }
}

extension RaftCore {
  /// Puts a committed change into force: to be called for each entry of kind `membership` when all before it are
  /// applied. Returns the membership from there on, to be stored with what is applied. A change that can't be made
  /// changes nothing, on every replica alike.
  public mutating func apply(membership change: MembershipChange, at index: LogIndex, now: UInt64) -> Membership {
    observe(now)
    precondition(index > applied && index <= applying, "an entry that was not handed out to be applied")
    let next = try? members.applying(change)
    if let next {
      members = next
      updatePeers()
      writesCommit = true
    }
    if role == .leader, next != nil {
      if members.isVoter(id) {
        commitByQuorum()
        replicationDue = true
      } else {
        // The others learn that the change is committed from our last appends, then elect one of their own.
        replicate(tellingCommit: true)
        becomeFollower(term: term, leader: .none)
      }
      if let transfer, !members.isVoter(transfer.target) { self.transfer = nil }
    }
    applied(to: index)
    return members
  }

  /// Makes `peers` those of the membership, keeping what is known of those that stay.
  mutating func updatePeers() {
    let known = peers
    peers = members.members.map { member in
      var peer = known.first { $0.id == member } ?? newPeer(member)
      peer.isVoter = members.voters.contains(member)
      peer.isOutgoing = members.outgoing.contains(member)
      return peer
    }
  }

  private func newPeer(_ member: ReplicaID) -> Progress {
    var peer = Progress(id: member)
    // It gets an election timeout to be heard from before it counts as gone.
    peer.reset(next: log.lastIndex.next, now: clock)
    return peer
  }
}
