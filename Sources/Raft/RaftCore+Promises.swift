public import Bytes

/// What a replica has promised others, at least: it voted or led in the term, and its log holds all up to the index. It
/// was durable there before it was said, so that a replica which knows less has forgotten something: its directory is an
/// older copy, or its disk has lost what it had synced.
public struct Promise: Equatable, Sendable {
  /// No term of the replica's is below.
  public let term: Term
  /// No log of the replica's ends before. Committed entries alone count: others may be undone.
  public let index: LogIndex

  /// A promise.
  public init(term: Term, index: LogIndex) {
    self.term = term
    self.index = index
  }

  /// What both say.
  public func and(_ other: Promise) -> Promise {
    Promise(term: max(term, other.term), index: max(index, other.index))
  }
}

extension RaftCore {
  /// What another member is known to have promised, by what it told this replica since that was started; nil: nothing.
  public func promise(of member: ReplicaID) -> Promise? {
    guard member != id, let i = position(of: member) else { return nil }
    guard let present = presentPromise(of: peers[i]) else { return promises[member] }
    return promises[member]?.and(present) ?? present
  }

  private func presentPromise(of peer: Progress) -> Promise? {
    switch role {
    case .leader: peer.match > .zero ? Promise(term: term, index: min(peer.match, commit)) : nil
    case .follower: peer.id == leader ? Promise(term: term, index: min(leaderDurable, commit)) : nil
    case .preCandidate, .candidate: nil
    }
  }

  mutating func keep(_ promise: Promise, of member: ReplicaID) {
    promises[member] = promises[member]?.and(promise) ?? promise
  }

  /// Notes what is known as a leader, or of one, before the part or the term changes.
  mutating func keepPromises() {
    for peer in peers where peer.id != id {
      if let present = presentPromise(of: peer) { keep(present, of: peer.id) }
    }
    promises = promises.filter { position(of: $0.key) != nil }
    leaderDurable = .zero
  }
}
