public import Bytes

// A group in which nothing happens sends no heartbeats. Its leader and a follower agree, by a last one and its answer,
// that the pulses of their nodes stand for them from here on: one question and one answer for all such groups that the
// two nodes share. Either side that is left without a pulse goes back to heartbeats on its own, long before the other
// could lose patience (kv-raft(7), "Quiescence"; CockroachDB and TiKV let idle ranges sleep to the same end).
extension RaftCore {
  /// At a follower: the leader for whose heartbeats pulses stand, nil while they don't.
  @inlinable public var quiescentLeader: ReplicaID? { quiescentUntil == nil || role != .follower ? nil : leader }

  /// Whether pulses stand for all heartbeats that it would send or get; so also where there is nobody else.
  var isQuiescent: Bool {
    guard role == .leader else { return quiescentLeader != nil }
    return peers.allSatisfy { $0.id == id || $0.quiescentSince != nil }
  }

  /// At a leader: calls back with each peer for which pulses stand.
  public func forEachQuiescentPeer(_ body: (ReplicaID) -> Void) {
    guard role == .leader else { return }
    for peer in peers where peer.quiescentSince != nil { body(peer.id) }
  }

  /// A pulse came of the leader's node, whose quiescent groups are the same as here: as good as a heartbeat.
  public mutating func heardPulse(now: UInt64) {
    observe(now)
    guard quiescentLeader != nil else { return }
    quiescentUntil = clock + options.pulsePatience
    heardFromLeader()
  }

  /// A node answered a pulse that was sent at `sentAt`, when its steady clock showed `peerClock`, and found its quiescent
  /// groups to be the same: as good as an answer to a heartbeat sent then, if the pulse stood for the peer on that node.
  public mutating func pulseAnswered(by node: NodeID, sentAt: UInt64, peerClock: UInt64, now: UInt64) {
    observe(now)
    guard role == .leader, sentAt <= clock else { return }
    for i in peers.indices where peers[i].id.node == node {
      // Both at one moment: who knows which came first.
      guard let since = peers[i].quiescentSince, since < sentAt else { continue }
      peers[i].lastActive = clock
      peers[i].ackedSentAt = max(peers[i].ackedSentAt, sentAt)
      peers[i].peerClock = peerClock
    }
  }

  /// Something happened that must be over before the group can be called idle.
  mutating func notIdle() { idleFrom = clock + options.quiescenceDelay }

  /// Whether pulses may stand for heartbeats to a peer: nothing has happened for a while, and it has and knows all.
  func mayQuiesce(_ i: Int) -> Bool {
    guard options.quiescenceTicks > 0, clock >= idleFrom, clock >= leaseBlockedUntil else { return false }
    guard transfer == nil, readCount == 0, tickets.isEmpty, !members.isJoint, hasCommittedInTerm else { return false }
    let last = log.lastIndex
    return commit == last && applied == last && peers[i].state == .replicate && peers[i].match == last
      && !peers[i].owesAppend && !peers[i].isPaused
  }

  /// At a follower that is asked to: whether it has all there is, up to the last entry of the leader's. Then the answer
  /// promises that a pulse counts as a heartbeat.
  mutating func quiesce(at last: LogIndex) -> Bool {
    guard options.quiescenceTicks > 0, arrivedSnapshot == nil, tickets.isEmpty, durable.term == term,
      log.lastIndex == last, commit == last, applied == last
    else { return false }
    quiescentUntil = clock + options.pulsePatience
    return true
  }

  /// At a follower: without pulses it waits for heartbeats again, as long as for any.
  mutating func wakeIfForgotten() {
    if let quiescentUntil, clock >= quiescentUntil { self.quiescentUntil = nil }
  }

  /// At a leader: peers that answer no pulse get heartbeats again.
  mutating func wakeForgottenPeers() {
    for i in peers.indices where peers[i].quiescentSince != nil {
      if clock - peers[i].ackedSentAt >= options.pulsePatience { peers[i].quiescentSince = nil }
    }
  }
}
