import Bytes

extension RaftCore {
  /// Takes in a message. Any message is safe to pass, however late, often or out of order, from whomever: what no
  /// correct replica could have sent is dropped and counted in `status.violations`.
  public mutating func step(_ message: Message, now: UInt64) {
    observe(now)
    guard message.to == id, message.from != id, message.isWellFormed else {
      violations += 1
      return
    }
    if message.kind == .vote || message.kind == .preVote {
      // Leases, and the peace of a group with a leader, rest on this silence (thesis §4.2.3, §6.4.1). It holds
      // whatever term the promise was given in, and only for what the leader itself asked for it is broken.
      guard message.kind == .vote && message.forced || !isPromised else { return }
    }
    if message.term < term { return answerOldTerm(message) }
    if message.term > term { adoptTerm(of: message) }
    switch message.kind {
    case .preVote, .vote: handleVoteRequest(message)
    case .preVoteResponse, .voteResponse: handleVoteResponse(message)
    case .append, .heartbeat, .snapshot: handleLeaderMessage(message)
    case .appendResponse, .heartbeatResponse: handleFollowerMessage(message)
    case .timeoutNow: handleTimeoutNow(message)
    case .readIndex: handleReadRequest(message)
    case .readIndexResponse: handleReadResponse(message)
    }
  }

  private mutating func adoptTerm(of message: Message) {
    switch message.kind {
    case .preVote: break  // Nothing has happened yet.
    case .preVoteResponse where !message.reject: break  // The term is the one that we asked for.
    case .append, .heartbeat, .snapshot: becomeFollower(term: message.term, leader: message.from)
    default: becomeFollower(term: message.term, leader: .none)
    }
  }

  /// Tells the sender of an old term about ours, where silence could lock one of us out: with pre-vote and promises
  /// a replica whose term ran ahead gets no votes, and heeds no leader of the lower term; the answer makes that
  /// leader start a higher one.
  private mutating func answerOldTerm(_ message: Message) {
    switch message.kind {
    case .append, .heartbeat, .snapshot:
      outboxAfterPersist.append(self.message(.appendResponse, to: message.from))
    case .preVote:
      var response = self.message(.preVoteResponse, to: message.from)
      response.reject = true
      outbox.append(response)
    default: break
    }
  }

  private mutating func handleLeaderMessage(_ message: Message) {
    // One term has one leader (§5.2): whoever else claims to be it is broken.
    guard role != .leader, leader == .none || leader == message.from else {
      violations += 1
      return
    }
    if role != .follower || leader == .none { becomeFollower(term: term, leader: message.from) }
    heardFromLeader()
    if message.rejectHint > leaderDurable { leaderDurable = message.rejectHint }
    quiescentUntil = nil
    switch message.kind {
    case .append: handleAppend(message)
    case .heartbeat: handleHeartbeat(message)
    default: handleSnapshot(message)
    }
  }

  private mutating func handleFollowerMessage(_ message: Message) {
    guard role == .leader, let i = position(of: message.from) else { return }
    guard message.echo <= clock else {
      violations += 1
      return
    }
    peers[i].lastActive = clock
    peers[i].ackedSentAt = max(peers[i].ackedSentAt, message.echo)
    peers[i].peerClock = message.sentAt
    if message.kind == .appendResponse {
      handleAppendResponse(message, from: i)
    } else {
      handleHeartbeatResponse(message, from: i)
    }
    if transfer?.target == message.from { advanceTransfer() }
  }
}
