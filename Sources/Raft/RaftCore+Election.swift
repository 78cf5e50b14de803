import Bytes

extension RaftCore {
  /// Asks to become the leader, as if the election timeout had passed. Without effect on a leader, on a replica that
  /// can't lead, and on one that has promised a leader to elect no other yet.
  public mutating func campaign(now: UInt64) {
    observe(now)
    guard !isPromised else { return }
    startCampaign()
  }

  /// Whether this replica may ask for votes: as a voter with its state complete, and with every committed change of
  /// membership applied (an older configuration might elect a leader beside the new one's).
  var isPromotable: Bool {
    members.isVoter(id) && arrivedSnapshot == nil && !log.hasMembershipChange(from: applied.next, through: commit)
  }

  /// Begins with a pre-vote (thesis §9.6): a replica that could not win must not disturb those that have a leader.
  mutating func startCampaign() {
    resetElectionDeadline()
    guard role != .leader else { return }
    guard isPromotable else {
      electionDeadline = clock + options.tickNanoseconds
      return
    }
    keepPromises()
    changeRole(.preCandidate, leader: .none)
    // A round of questions costs little and changes nothing, so it is repeated sooner than an election.
    let half = options.electionTimeout / 2
    electionDeadline = clock + half + UInt64.random(in: 0..<half, using: &random)
    recordVote(of: id, granted: true)
    guard role == .preCandidate else { return }
    requestVotes(.preVote, term: term.next)
  }

  /// Starts a term and asks for its votes. Our own counts once it is durable; the requests leave then, too: should
  /// they leave before and we crash, we could stand again in this term with a shorter log and collect old answers.
  mutating func startElection(forcedUntil limit: UInt64?) {
    keepPromises()
    hardState.term = term.next
    hardState.vote = id
    changeRole(.candidate, leader: .none)
    forcedUntil = limit
    resetElectionDeadline()
    requestVotes(.vote, term: term)
  }

  private mutating func requestVotes(_ kind: Message.Kind, term: Term) {
    for peer in peers where peer.id != id && (peer.isVoter || peer.isOutgoing) {
      var request = message(kind, to: peer.id)
      request.term = term
      request.index = log.lastIndex
      request.logTerm = log.lastTerm
      tellCommit(in: &request)
      request.forced = forcedUntil != nil
      if kind == .vote { outboxAfterPersist.append(request) } else { outbox.append(request) }
    }
  }

  /// Answers `vote` and `preVote` of this term or, for a pre-vote, of a later one.
  mutating func handleVoteRequest(_ request: Message) {
    let isPreVote = request.kind == .preVote
    let isFree =
      hardState.vote == request.from || (hardState.vote == .none && leader == .none)
      || (isPreVote && request.term > term)
    let isUpToDate = (request.logTerm, request.index) >= (log.lastTerm, log.lastIndex)
    var response = message(isPreVote ? .preVoteResponse : .voteResponse, to: request.from)
    response.reject = !(isFree && isUpToDate)
    // The candidate ignores terms below the one that it asks for.
    if response.reject { tellCommit(in: &response) } else { response.term = request.term }
    learnCommit(from: request)
    guard !isPreVote else {
      outbox.append(response)
      return
    }
    if !response.reject {
      hardState.vote = request.from
      resetElectionDeadline()
    }
    outboxAfterPersist.append(response)
  }

  mutating func handleVoteResponse(_ response: Message) {
    learnCommit(from: response)
    switch (response.kind, role) {
    case (.preVoteResponse, .preCandidate) where response.reject || response.term == term.next,
      (.voteResponse, .candidate):
      recordVote(of: response.from, granted: !response.reject)
    default: break
    }
  }

  private func tellCommit(in message: inout Message) {
    message.commit = commit
    message.hintTerm = log.term(at: commit) ?? .zero
  }

  /// Takes over what an elector knows to be committed, where the logs match there. Without it a group can lock itself
  /// out: a leader that a change removed is gone, those who know that the change is committed are no voters any more,
  /// and who could lead needs the votes of the old configuration, which has longer logs (raft-rs has the same remedy).
  private mutating func learnCommit(from message: Message) {
    guard arrivedSnapshot == nil, message.commit > commit, log.matches(message.commit, message.hintTerm) else { return }
    advanceCommit(to: message.commit)
    if role == .candidate || role == .preCandidate, !isPromotable { becomeFollower(term: term, leader: .none) }
  }

  /// Counts one vote; the first answer of each replica is the one that counts.
  mutating func recordVote(of voter: ReplicaID, granted: Bool) {
    guard let i = position(of: voter), peers[i].vote == nil else { return }
    peers[i].vote = granted
    if granted, role == .candidate, voter != id { keep(Promise(term: term, index: .zero), of: voter) }
    switch peers.electionOutcome {
    case true? where role == .preCandidate:
      startElection(forcedUntil: nil)
    case true?:
      // The old leader counts on a candidacy that it asked for being over by then, and may hold a lease again.
      if let forcedUntil, clock >= forcedUntil { return becomeFollower(term: term, leader: .none) }
      becomeLeader()
    case false?:
      becomeFollower(term: term, leader: .none)
    case nil: break
    }
  }

  /// Everything that a role keeps is gone with the role.
  mutating func changeRole(_ role: Role, leader: ReplicaID) {
    rejectAllReads()
    transfer = nil
    leaseBlockedUntil = 0
    forcedUntil = nil
    quiescentUntil = nil
    pendingChange = .zero
    pendingChangeUnseats = false
    uncommittedBytes = 0
    for i in peers.indices { peers[i].vote = nil }
    self.role = role
    self.leader = leader
    roleChanged = true
  }

  mutating func becomeFollower(term: Term, leader: ReplicaID) {
    keepPromises()
    if term > self.term {
      hardState.term = term
      hardState.vote = .none
    }
    changeRole(.follower, leader: leader)
    resetElectionDeadline()
  }
}
