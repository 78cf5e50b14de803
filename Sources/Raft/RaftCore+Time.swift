import Bytes

extension RaftCore {
  /// Does what is due by now: to be called about every `RaftOptions.tickNanoseconds`. A late call does no harm. False
  /// where there is nothing to be taken out, and won't be unless something else happens: the group is quiescent.
  @discardableResult
  public mutating func tick(now: UInt64) -> Bool {
    observe(now)
    doWhatIsDue()
    return !isQuiescent || hasReady
  }

  private mutating func doWhatIsDue() {
    guard role == .leader else {
      wakeIfForgotten()
      if clock >= electionDeadline { startCampaign() }
      return
    }
    // A leader that no quorum answers must not go on as if it were one (thesis §6.2): those that it can't hear may
    // have elected another, and its clients wait in vain.
    let quorumActive = peers.quorum { $0.id == id ? clock : $0.lastActive }
    guard clock - quorumActive < options.electionTimeout else {
      return becomeFollower(term: term, leader: .none)
    }
    if let transfer, clock >= transfer.deadline { self.transfer = nil }
    if isStalled, !members.isSoleVoter(id) { return giveWay() }
    leaveJointIfDue()
    if peers.contains(where: { $0.id != id && $0.needsCommit(commit) }) { (commitDue, replicationDue) = (true, true) }
    wakeForgottenPeers()
    // A quarter of a tick early is in time: ticks jitter, and a heartbeat missed by a hair comes a whole tick late.
    guard clock + options.tickNanoseconds / 4 >= nextHeartbeat else { return }
    let onSchedule = nextHeartbeat + options.heartbeatInterval
    sendHeartbeats(toAll: false)
    nextHeartbeat = max(onSchedule, clock + options.heartbeatInterval / 2)
  }

  /// Whether a read may be served from the applied state up to `commit` without asking anyone (thesis §6.4.1).
  ///
  /// True while a quorum has promised, in answer to messages sent recently enough, to elect no other. A promise lasts
  /// an election timeout on the promiser's clock from when it got the message; this counts a little less, on this
  /// clock, from when the message was sent. `now` must be read for this call.
  public func leaseHolds(now: UInt64) -> Bool {
    guard hasCommittedInTerm, transfer == nil, now >= leaseBlockedUntil else { return false }
    // Once a change that leaves another replica as the only voter is applied there, it needs nobody's vote.
    guard !(pendingChangeUnseats && applied < pendingChange) else { return false }
    if members.isSoleVoter(id) { return true }
    let start = peers.quorum { $0.id == id ? now : $0.ackedSentAt }
    return start > 0 && now < start + options.leaseDuration
  }

  /// Whether this replica has promised a leader not to help elect another yet. A leader promised so to itself.
  var isPromised: Bool { role == .leader || clock < promisedUntil }

  /// Whether this replica leads, or has heard from the leader within an election timeout.
  public var hearsLeader: Bool { role == .leader || leader != .none && clock < promisedUntil }

  /// Notes a message of the current leader.
  mutating func heardFromLeader() {
    promisedUntil = max(promisedUntil, clock + options.electionTimeout)
    resetElectionDeadline()
  }

  /// Draws the next election timeout from [electionTimeout, 2 · electionTimeout).
  mutating func resetElectionDeadline() {
    electionDeadline = clock + options.electionTimeout + UInt64.random(in: 0..<options.electionTimeout, using: &random)
  }

  /// Sends heartbeats: on schedule to those peers for which no pulses stand, for a round of reads to all.
  mutating func sendHeartbeats(toAll: Bool) {
    nextHeartbeat = clock + options.heartbeatInterval
    for i in peers.indices where peers[i].id != id && (toAll || peers[i].quiescentSince == nil) {
      peers[i].quiescentSince = nil
      var heartbeat = message(.heartbeat, to: peers[i].id)
      heartbeat.quiescent = !toAll && mayQuiesce(i)
      // Beyond `match` the peer's log may differ from ours.
      heartbeat.commit = min(peers[i].match, commit)
      heartbeat.rejectHint = stable
      heartbeat.context = lastRound
      outbox.append(heartbeat)
    }
  }
}
