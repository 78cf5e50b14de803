import Bytes
import Environment
import Raft
import Wire

/// The heartbeats of quiescent groups, kv-raft(7): one question to each node and one answer stand for all such groups
/// that are led here and followed there. A digest tells whether both nodes mean the same groups; where they don't,
/// the pulse counts for none, and those concerned go back to heartbeats.
final class Pulses {
  private unowned let node: Node
  private var nextPulse = Moment(rawValue: 0)
  /// The nodes that have answered a pulse on the connection that there is, and the newest format that each supports.
  private var known: [NodeID: UInt32] = [:]
  /// When nodes of which it isn't known yet are to be asked whether they know pulses.
  private var questions: [NodeID: Moment] = [:]

  init(node: Node) {
    self.node = node
  }

  /// Whether a node is known to understand quiescence; if it isn't, it will be asked soon.
  func areKnown(to peer: NodeID) -> Bool {
    format(of: peer) != nil
  }

  /// The newest cluster format that a node supports, as it says itself; nil where it isn't known, and it will be asked.
  func format(of peer: NodeID) -> UInt32? {
    if let format = known[peer] { return format }
    if questions[peer] == nil { questions[peer] = node.now }
    return nil
  }

  /// The connection to a node ended: who comes back may be of an older release.
  func disconnected(_ peer: NodeID) {
    known[peer] = nil
    questions[peer] = nil
  }

  /// Sends the pulses that are due.
  func tick() {
    let now = node.now
    guard now >= nextPulse else { return }
    // A little early is in time: a pulse missed by a hair would come a whole tick late.
    nextPulse = Moment(rawValue: now.rawValue + Limits.pulseNanoseconds * 7 / 8)
    var digests: [NodeID: UInt64] = [:]
    for group in node.order {
      guard let replica = node.replicas[group] else { continue }
      replica.core.forEachQuiescentPeer { peer in
        digests[peer.node, default: 0] ^= Pulses.digest(group, replica.core.term, follower: peer)
      }
    }
    for (peer, time) in questions where now >= time && known[peer] == nil {
      questions[peer] = now.advanced(milliseconds: Limits.pulseQuestionMilliseconds)
      if digests[peer] == nil { digests[peer] = 0 }
    }
    for (peer, digest) in digests.sorted(by: { $0.key < $1.key }) { ask(peer, digest, at: now) }
  }

  private func ask(_ peer: NodeID, _ digest: UInt64, at sentAt: Moment) {
    let request = WireRequest.with {
      $0.pulse = .with { $0.digest = digest }
      $0.timeoutMs = UInt32(Limits.pulseAnswerMilliseconds)
    }
    node.call(peer, request, deadline: sentAt.advanced(milliseconds: Limits.pulseAnswerMilliseconds)) {
      [self] result in
      guard case .answered(.pulse(let answer)) = result else { return }
      known[peer] = max(1, answer.format)
      if answer.digest == digest { count(answer, of: peer, sentAt: sentAt) }
    }
  }

  /// The node meant the same groups: it promised each of their leaders to elect no other.
  private func count(_ answer: WirePulseResponse, of peer: NodeID, sentAt: Moment) {
    for group in node.order {
      node.replicas[group]?.core.pulseAnswered(
        by: peer, sentAt: sentAt.rawValue, peerClock: answer.sentAt, now: node.now.rawValue)
    }
  }

  /// Takes a pulse in, which counts for all groups that follow the asking node here if it means the same ones.
  func answer(_ pulse: WirePulseRequest, from caller: Caller) -> WireResponse.OneOf_Body {
    guard case .node(let leader) = caller else {
      return WireFailure.because(.refused, "only nodes may ask this")
    }
    let followers = node.order.compactMap { node.replicas[$0] }.filter { $0.core.quiescentLeader?.node == leader }
    let digest = followers.reduce(0) { $0 ^ Pulses.digest($1.group, $1.core.term, follower: $1.id) }
    let now = node.now.rawValue
    if digest == pulse.digest {
      for follower in followers { follower.core.heardPulse(now: now) }
    }
    return .pulse(
      .with {
        $0.digest = digest
        $0.sentAt = now
        $0.format = node.storage.options.format
      })
  }

  /// One group's part in a digest: they are combined by exclusive or.
  private static func digest(_ group: GroupID, _ term: Term, follower: ReplicaID) -> UInt64 {
    SplitMix64.mix(UInt64(group.rawValue) ^ SplitMix64.mix(term.rawValue ^ SplitMix64.mix(follower.rawValue)))
  }
}
