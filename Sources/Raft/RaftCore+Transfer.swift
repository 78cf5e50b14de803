public import Bytes

/// A leadership that is being handed over.
struct Transfer: Sendable {
  let target: ReplicaID
  /// When it is given up.
  let deadline: UInt64
  /// When the target was last told to campaign, nil if it wasn't yet.
  var toldAt: UInt64?
}

extension RaftCore {
  /// Hands leadership over to a voter (thesis §3.10): proposals stop, the target is brought up to date and told to
  /// campaign at once. After an election timeout without success the leader goes on as before.
  public mutating func transferLeadership(to target: ReplicaID, now: UInt64) throws(RaftError) {
    observe(now)
    guard role == .leader else { throw .notLeader(hint: leader) }
    guard target != id, members.isVoter(target) else { throw .invalidTransferTarget(target) }
    guard transfer?.target != target else { return }
    transfer = Transfer(target: target, deadline: clock + options.electionTimeout)
    if let i = position(of: target) { peers[i].owesAppend = true }
    replicationDue = true
    advanceTransfer()
  }

  /// Tells the target to campaign, once its log is complete, and again when it is heard from and still follows, at
  /// most once per heartbeat.
  ///
  /// Its candidacy overrides the promises that our lease rests on, so there must be a time after which it can't
  /// succeed, however late messages arrive: it campaigns only within an election timeout, on its own clock, of a
  /// time that it told us. Until that is over for certain we hold no lease, even if the transfer is given up.
  mutating func advanceTransfer() {
    guard role == .leader, let transfer, let i = position(of: transfer.target) else { return }
    guard peers[i].match == log.lastIndex, peers[i].peerClock > 0 else { return }
    if let toldAt = transfer.toldAt, clock - toldAt < options.heartbeatInterval { return }
    self.transfer?.toldAt = clock
    leaseBlockedUntil = clock + options.slowestElectionTimeout
    var order = message(.timeoutNow, to: transfer.target)
    order.echo = peers[i].peerClock
    outbox.append(order)
  }

  /// Whether a write of ours is overdue: the disk has stalled.
  var isStalled: Bool { tickets.first.map { clock - $0.handedAt >= options.stallTimeout } ?? false }

  /// Hands leadership to the voter that has most of the log, for nothing that we append is acknowledged or applied here.
  /// If that doesn't come about within an election timeout, the others elect somebody.
  mutating func giveWay() {
    guard transfer == nil else { return }
    let isLate = tickets.first.map { clock - $0.handedAt >= options.stallTimeout + options.electionTimeout } ?? false
    let heirs = peers.filter { $0.id != id && members.voters.contains($0.id) && isRecent($0) }
    guard !isLate, let heir = heirs.max(by: { $0.match < $1.match }) else {
      return becomeFollower(term: term, leader: .none)
    }
    // Refused only where the heir is no voter, which it is.
    try? transferLeadership(to: heir.id, now: clock)
  }

  mutating func handleTimeoutNow(_ order: Message) {
    guard role == .follower, leader == order.from, isPromotable else { return }
    guard order.echo <= clock, clock - order.echo < options.electionTimeout else { return }
    startElection(forcedUntil: order.echo + options.electionTimeout)
  }
}
