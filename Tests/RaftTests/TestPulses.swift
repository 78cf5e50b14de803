import Bytes

@testable import Raft

/// What the nodes of a test cluster do for quiescent groups: a pulse to each node whose replica is quiescent, and its
/// answer, as lossy and as slow as all messages. With one group a digest is its term, or zero.
struct TestPulses {
  struct Pulse {
    let from: ReplicaID
    let to: ReplicaID
    let term: Term
    let sentAt: UInt64
    let at: UInt64
    /// What the receiver's clock showed, in an answer.
    var answeredAt: UInt64?
  }

  var underWay: [Pulse] = []
  var nextAt: UInt64 = 0
}

extension TestCluster {
  /// Sends the pulses that are due.
  func sendPulses() {
    guard now >= pulses.nextAt else { return }
    pulses.nextAt = now + 100 * millisecond
    for node in nodes where node.frozenUntil <= now {
      guard let core = node.core else { continue }
      core.forEachQuiescentPeer { peer in
        send(TestPulses.Pulse(from: node.id, to: peer, term: core.term, sentAt: node.clock(now), at: now + delay()))
      }
    }
  }

  private func send(_ pulse: TestPulses.Pulse) {
    if isCut(Message(kind: .heartbeat, from: pulse.from, to: pulse.to, term: pulse.term)) { return }
    if chance(faults.dropPermille) { return }
    pulses.underWay.append(pulse)
  }

  /// Delivers those that are due.
  func deliverPulses() {
    while let next = pulses.underWay.indices.filter({ pulses.underWay[$0].at <= now }).min(by: {
      pulses.underWay[$0].at < pulses.underWay[$1].at
    }) {
      var pulse = pulses.underWay.remove(at: next)
      guard let node = nodes.first(where: { $0.id == pulse.to }), node.core != nil else { continue }
      if node.frozenUntil > now {
        pulse = TestPulses.Pulse(
          from: pulse.from, to: pulse.to, term: pulse.term, sentAt: pulse.sentAt, at: node.frozenUntil,
          answeredAt: pulse.answeredAt)
        pulses.underWay.append(pulse)
      } else if let answeredAt = pulse.answeredAt {
        history.pulsesCounted += 1
        with(node) { core, clock in
          core.pulseAnswered(by: pulse.from.node, sentAt: pulse.sentAt, peerClock: answeredAt, now: clock)
        }
      } else {
        answer(pulse, at: node)
      }
    }
  }

  private func answer(_ pulse: TestPulses.Pulse, at node: TestNode) {
    // The digests differ otherwise.
    guard node.core?.quiescentLeader == pulse.from, node.core?.term == pulse.term else { return }
    with(node) { core, clock in core.heardPulse(now: clock) }
    send(
      TestPulses.Pulse(
        from: pulse.to, to: pulse.from, term: pulse.term, sentAt: pulse.sentAt, at: now + delay(),
        answeredAt: node.clock(now)))
  }
}
