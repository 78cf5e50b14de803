import Bytes

/// A read that waits to be confirmed, from this node (`asker` none) or another.
struct PendingRead: Sendable {
  let context: UInt64
  let asker: ReplicaID
}

/// Reads that share one confirmation: those asked for between two `Ready`s.
struct ReadRound: Sendable {
  let number: UInt64
  let index: LogIndex
  let reads: [PendingRead]
}

extension RaftCore {
  /// Asks for an index that a linearizable read must wait for (thesis §6.4). The answer comes as a read state with
  /// this context, when an entry of the own term is committed and a quorum has confirmed that this is still the
  /// leader after the call; or as a rejected read when it isn't.
  public mutating func readIndex(context: UInt64, now: UInt64) throws(RaftError) {
    observe(now)
    guard role == .leader else { throw .notLeader(hint: leader) }
    try add(PendingRead(context: context, asker: .none))
  }

  /// Asks the leader for a read index from a follower. The answer comes as for `readIndex`, or never: messages get
  /// lost. Then ask again, with another context.
  public mutating func askReadIndex(context: UInt64, now: UInt64) throws(RaftError) {
    observe(now)
    guard role == .follower, leader != .none else { throw .notLeader(hint: leader) }
    var request = message(.readIndex, to: leader)
    request.context = context
    outbox.append(request)
  }

  private mutating func add(_ read: PendingRead) throws(RaftError) {
    guard readCount < options.maxPendingReads else { throw .tooManyReads(limit: options.maxPendingReads) }
    readCount += 1
    waitingReads.append(read)
  }

  mutating func handleReadRequest(_ request: Message) {
    let read = PendingRead(context: request.context, asker: request.from)
    do throws(RaftError) {
      guard role == .leader else { throw .notLeader(hint: leader) }
      try add(read)
    } catch {
      answer(read, index: nil)
    }
  }

  mutating func handleReadResponse(_ response: Message) {
    if response.reject {
      rejectedReads.append(response.context)
    } else {
      readStates.append(ReadState(context: response.context, index: response.index))
    }
  }

  /// Whether a round could start.
  var canStartRound: Bool { !waitingReads.isEmpty && hasCommittedInTerm }

  /// Starts a round for the reads that wait. Before an entry of the own term is committed, `commit` may lag behind
  /// what earlier leaders acknowledged.
  mutating func startRound() {
    guard canStartRound else { return }
    lastRound += 1
    readRounds.append(ReadRound(number: lastRound, index: commit, reads: waitingReads))
    waitingReads.removeAll(keepingCapacity: true)
    notIdle()
    if members.isSoleVoter(id) { confirmReads() } else { sendHeartbeats(toAll: true) }
  }

  /// Answers the reads of all rounds that a quorum has confirmed.
  mutating func confirmReads() {
    let confirmed = peers.quorum { $0.id == id ? lastRound : $0.ackedRound }
    var done = 0
    while done < readRounds.count, readRounds[done].number <= confirmed {
      for read in readRounds[done].reads { answer(read, index: readRounds[done].index) }
      readCount -= readRounds[done].reads.count
      done += 1
    }
    readRounds.removeFirst(done)
  }

  mutating func rejectAllReads() {
    for round in readRounds { for read in round.reads { answer(read, index: nil) } }
    for read in waitingReads { answer(read, index: nil) }
    readRounds = []
    waitingReads = []
    readCount = 0
  }

  private mutating func answer(_ read: PendingRead, index: LogIndex?) {
    guard read.asker != .none else {
      if let index {
        readStates.append(ReadState(context: read.context, index: index))
      } else {
        rejectedReads.append(read.context)
      }
      return
    }
    var response = message(.readIndexResponse, to: read.asker)
    response.context = read.context
    response.index = index ?? .zero
    response.reject = index == nil
    outbox.append(response)
  }
}
