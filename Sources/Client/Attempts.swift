import Bytes
import Wire

/// What one attempt to carry out a request came to.
enum Outcome {
  /// The request never left: no connection.
  case unsent(ChannelFailure)
  /// The request was perhaps received, and no answer came that can be believed.
  case lost(String)
  /// The node answered.
  case answered(WireResponse.OneOf_Body)
}

/// What to do after an attempt.
enum Verdict {
  /// This is the answer.
  case done(WireResponse.OneOf_Body)
  /// Try again elsewhere: at the leader, where the node named one.
  case again(leader: NodeID?)
  /// Try again elsewhere, and never again at this peer.
  case without
  /// Give up.
  case failed(ClientError)
}

/// The attempts at one request: what is known of its outcome, and why each peer failed. No clock and no I/O: the
/// rules by which `done`, `certainly not` and `unknown` are told apart (DESIGN, promise P6) are here alone.
///
/// A write whose attempt was lost, or answered with "unknown", may be applied later yet: a copy of it may wait in a
/// queue or on a broken link. A later "no" by another node, even a false condition, says only that it wasn't applied
/// so far. So after such an attempt nothing but a recorded outcome, a version or a refusal, settles a write.
struct Attempts {
  /// The request in a word or two: `put`, `range`.
  let what: String
  /// The request id of a write; nil for a request that may be repeated at will.
  let write: RequestID?
  /// Whether the write may be the repetition of one whose outcome stayed unknown: its user gave the id. What this
  /// process can't reach may then be applied all the same.
  private let isRepetition: Bool
  /// Whether an attempt of the write was perhaps applied, or will be.
  private(set) var isMaybeApplied = false
  /// Whether a node has said why it does not do it.
  private(set) var hasRefusal = false
  /// Whether a copy of the request may be on its way when the next attempt is made.
  var mustSettle: Bool { isMaybeApplied || isRepetition }
  private var troubles: [Trouble] = []

  private struct Trouble {
    let peer: String
    var words: String
    var count: Int
    var kind: ChannelFailure.Kind
    /// Whether it took the request, as far as can be told.
    var wasReached: Bool
  }

  init(_ what: String, write: RequestID? = nil, isRepetition: Bool = false) {
    self.what = what
    self.write = write
    self.isRepetition = isRepetition
  }

  /// Notes an attempt and judges it.
  mutating func record(_ outcome: Outcome, at peer: String) -> Verdict {
    switch outcome {
    case .unsent(let failure):
      note(peer, failure.words, failure.kind, wasReached: false)
      switch failure.kind {
      case .broken: return .again(leader: nil)
      case .notThisCluster, .refused: return .without
      case .local: return .failed(isMaybeApplied ? unknown() : .configuration("\(what): \(failure.words)"))
      }
    case .lost(let words):
      note(peer, words)
      isMaybeApplied = write != nil
      return .again(leader: nil)
    case .answered(.failure(let failure)):
      return record(failure, at: peer)
    case .answered(.write(let answer)) where answer.version == 0 && isMaybeApplied && !answer.recorded:
      note(peer, "found no value to delete")
      return .failed(unsettled())
    case .answered(let body):
      return .done(body)
    }
  }

  private mutating func record(_ failure: WireFailure, at peer: String) -> Verdict {
    note(peer, Attempts.words(failure))
    hasRefusal = true
    switch failure.code {
    case .unavailable, .notLeader:
      return .again(leader: failure.leader == 0 ? nil : NodeID(rawValue: failure.leader))
    case .unknownOutcome, .unspecified, .UNRECOGNIZED:
      isMaybeApplied = write != nil
      return .again(leader: nil)
    case .spansPartitions where !isMaybeApplied:
      return .done(.failure(failure))
    case .conditionFalse where isMaybeApplied:
      return .failed(failure.recorded ? error(failure, at: peer) : unsettled())
    case .spansPartitions, .conditionFalse, .invalid, .refused, .notRetained, .futureVersion, .damaged, .diskFull,
      .internal:
      return .failed(isMaybeApplied ? unknown() : error(failure, at: peer))
    }
  }

  private func error(_ failure: WireFailure, at peer: String) -> ClientError {
    let words = "\(what): \(peer): \(Attempts.words(failure))"
    switch failure.code {
    case .conditionFalse where failure.write > 0:
      return .conditionOfBatchFalse(
        write: Int(failure.write), current: failure.version == 0 ? nil : Version(rawValue: failure.version))
    case .conditionFalse:
      return .conditionFalse(current: failure.version == 0 ? nil : Version(rawValue: failure.version))
    case .notRetained: return .notRetained(floor: Version(rawValue: failure.floor))
    case .futureVersion: return .futureVersion(words)
    case .invalid: return .invalid(words)
    case .refused: return .refused(words)
    case .damaged: return .damaged(words)
    case .diskFull: return .diskFull(words)
    case .internal, .unavailable, .notLeader, .unknownOutcome, .spansPartitions, .unspecified, .UNRECOGNIZED:
      return .internal(words)
    }
  }

  /// Whether every peer that could be reached refuses this client, by its certificate, or most of all show one that this
  /// client believes to be another cluster's: those that are down would too. One such address alone may have been given to
  /// somebody else.
  var isTurnedAway: Bool {
    guard !isMaybeApplied, !troubles.contains(where: \.wasReached) else { return false }
    return troubles.contains { $0.kind == .refused }
      || 2 * troubles.count { $0.kind == .notThisCluster } > troubles.count
  }

  /// What to say when the time is over.
  func expired(after milliseconds: Int) -> ClientError {
    if isTurnedAway { return exhausted() }
    if isMaybeApplied || isRepetition { return unknown() }
    return .unavailable(
      "\(what): nobody could do it within \(milliseconds) ms\(listed); `kv status` shows the cluster")
  }

  /// What to say when every known peer refuses, or is not of this cluster.
  func exhausted() -> ClientError {
    if isMaybeApplied { return unknown() }
    if troubles.contains(where: { $0.kind == .refused }) {
      return .refused("\(what): no node accepts this client\(listed)")
    }
    return .notThisCluster("\(what): no node of this cluster answers\(listed); check the cluster file")
  }

  /// What the peers said, one after the other, each with its latest reason.
  var listed: String {
    guard !troubles.isEmpty else { return "" }
    let named = troubles.prefix(ClientLimits.peersNamed).map { trouble in
      "\(trouble.peer): \(trouble.words)\(trouble.count > 1 ? " (\(trouble.count) times)" : "")"
    }
    let rest = troubles.count - named.count
    return ": " + named.joined(separator: "; ") + (rest > 0 ? "; and \(rest) more" : "")
  }

  private func unknown() -> ClientError {
    guard let write else { return .internal("\(what): a read has no unknown outcome\(listed)") }
    return .unknownOutcome("\(what): perhaps applied, nobody could say\(listed)", write)
  }

  private func unsettled() -> ClientError {
    guard let write else { return unknown() }
    return .unsettled("\(what): an attempt was perhaps applied, or will be; another was not\(listed)", write)
  }

  private mutating func note(
    _ peer: String, _ words: String, _ kind: ChannelFailure.Kind = .broken, wasReached: Bool = true
  ) {
    if let place = troubles.firstIndex(where: { $0.peer == peer }) {
      troubles[place].words = words
      troubles[place].count += 1
      troubles[place].kind = kind
      troubles[place].wasReached = wasReached
    } else {
      troubles.append(Trouble(peer: peer, words: words, count: 1, kind: kind, wasReached: wasReached))
    }
  }

  /// A node's message as one line of bounded length, safe for a terminal.
  private static func words(_ failure: WireFailure) -> String {
    let message = String(decoding: failure.message.utf8.prefix(ClientLimits.messageBytes), as: UTF8.self)
    return message.isEmpty ? "\(failure.code)" : Escaping.line(message)
  }
}
