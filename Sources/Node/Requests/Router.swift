import Bytes
import Environment
import HashRing
import Wire

/// Brings requests to the leader of their group: here, or at another node on the caller's behalf. A request for which
/// no leader is known waits for one until its time is over.
final class Router {
  /// SAFETY: the node owns this, and outlives every call into it.
  private unowned(unsafe) let node: Node
  private var parked: [Routed] = []
  /// By number, so that they are gone through in the order in which they came, not in that of their addresses.
  private var asked: [UInt64: Routed] = [:]
  private var nextNumber: UInt64 = 0
  /// Where a group's leader was last heard of, for groups without a replica on this node.
  private var hints: [GroupID: NodeID] = [:]

  init(node: Node) {
    self.node = node
  }

  /// The number of requests that wait for a leader.
  var parkedCount: Int { parked.count }
  /// The number of those that were passed on.
  var askedCount: Int { asked.count }

  /// A request on its way.
  private final class Routed {
    /// Where the key is, as far as the map says: a split moves it to another group.
    var group: GroupID
    private(set) var request: WireRequest
    let deadline: Moment
    let reply: Reply
    /// Its place among those that were passed on.
    var number: UInt64 = 0
    /// Whether an attempt may have been applied although its answer was lost.
    private(set) var mayBeApplied = false
    var lastObstacle = "no leader is known"
    /// Counts the attempts, so that the answer to one that was given up is not taken for that to the next.
    var attempt = 0
    /// The node that was asked and has not answered.
    var asked: NodeID?
    /// The nodes that could not help: another is asked before them.
    var tried: Set<NodeID> = []

    init(group: GroupID, request: WireRequest, deadline: Moment, reply: @escaping Reply) {
      self.group = group
      self.request = request
      self.deadline = deadline
      self.reply = reply
    }

    /// Notes that an attempt may have been applied: a refusal of the next has to be recorded.
    func noteMaybeApplied() {
      mayBeApplied = true
      request.mustSettle()
    }

    /// The key that it is about, if it is about one.
    var key: [UInt8]? {
      switch request.body {
      case .write(let write): write.key.array
      case .batch(let batch): batch.writes.first?.key.array
      case .get(let get): get.key.array
      default: nil
      }
    }

    /// Whether it is so large that it waits for a busy connection rather than in it.
    var isLarge: Bool {
      switch request.body {
      case .write(let write): write.value.count > Limits.patientRequestBytes.rawValue
      case .batch(let batch):
        batch.writes.reduce(0) { $0 + $1.key.count + $1.value.count } > Limits.patientRequestBytes.rawValue
      default: false
      }
    }

    /// Whether repeating the request could apply it twice: never, writes carry ids and the rest is idempotent.
    var changesState: Bool {
      switch request.body {
      case .write, .batch, .propose, .invite, .enrol, .issue, .revoke, .renew, .reissue, .rotate: true
      default: false
      }
    }
  }

  /// Routes a request of a group.
  func route(_ request: WireRequest, to group: GroupID, deadline: Moment, reply: @escaping Reply) {
    guard let replica = node.replicas[group], replica.core.isLeader else {
      return attempt(Routed(group: group, request: request, deadline: deadline, reply: reply))
    }
    // The way of nearly all requests: it ends here.
    node.serve(
      request, by: replica, deadline: deadline,
      reply: settling(request, of: group, deadline: deadline, reply: reply))
  }

  /// An answer that goes on to `reply`, unless it is a failure that another attempt may mend. A function of its own:
  /// inlined, it has the request's parts retained dozens of times.
  @inline(never)
  private func settling(
    _ request: WireRequest, of group: GroupID, deadline: Moment, reply: @escaping Reply
  ) -> Reply {
    { [self] body in
      guard case .failure = body else { return reply(body) }
      settle(Routed(group: group, request: request, deadline: deadline, reply: reply), body, from: node.id)
    }
  }

  /// Tries again what has waited, and ends what has waited too long.
  func tick() {
    let waiting = parked
    parked.removeAll(keepingCapacity: true)
    for routed in waiting { attempt(routed) }
  }

  private func attempt(_ routed: Routed) {
    guard node.now < routed.deadline else { return giveUp(routed) }
    if let key = routed.key, let map = node.catalog.catalog?.map {
      routed.group = map.lookup(Position(ofBytes: key)).group
    }
    if let problem = node.fences.problemForGood(of: routed.group) {
      return settle(routed, WireFailure.because(.damaged, problem), from: node.id)
    }
    if let replica = node.replicas[routed.group], replica.core.isLeader {
      return node.serve(routed.request, by: replica, deadline: routed.deadline) { [self] body in
        settle(routed, body, from: node.id)
      }
    }
    guard let target = leader(of: routed.group, rather: &routed.tried), target != node.id, node.calls.hasRoom else {
      return park(routed)
    }
    guard routed.request.hops < Limits.hops else {
      return routed.reply(
        WireFailure.because(.notLeader, "node \(node.id) does not lead group \(routed.group)", leader: target))
    }
    guard !routed.isLarge || !node.host.isBusy(target) else {
      routed.lastObstacle = "more waits for node \(target) than its connection carries"
      return park(routed)
    }
    var request = routed.request
    request.hops += 1
    request.timeoutMs = UInt32(clamping: routed.deadline.milliseconds(since: node.now))
    routed.attempt += 1
    routed.asked = target
    nextNumber += 1
    routed.number = nextNumber
    asked[routed.number] = routed
    let attempt = routed.attempt
    node.call(target, request, deadline: routed.deadline) { [self] result in
      guard routed.attempt == attempt, routed.asked != nil else { return }
      routed.asked = nil
      asked[routed.number] = nil
      switch result {
      case .answered(let body): settle(routed, body, from: target)
      case .lost: lost(routed, target)
      }
    }
  }

  private func lost(_ routed: Routed, _ target: NodeID) {
    if routed.changesState { routed.noteMaybeApplied() }
    routed.tried.insert(target)
    routed.lastObstacle = "node \(target) did not answer"
    hints[routed.group] = nil
    park(routed)
  }

  /// Another node says who leads a group that has no replica here. It may be mistaken: requests under way go on.
  func learned(_ leader: NodeID, of group: GroupID) { hints[group] = leader }

  /// A group has another leader: requests that wait for an answer of the one before don't wait any longer, for it may
  /// be dead or frozen.
  func leaderChanged(of group: GroupID, to leader: NodeID) {
    guard !asked.isEmpty || !parked.isEmpty else { return }
    let stuck = asked.values.filter { $0.group == group && $0.asked != leader }
    for routed in stuck.sorted(by: { $0.number < $1.number }) {
      guard let target = routed.asked else { continue }
      routed.asked = nil
      asked[routed.number] = nil
      lost(routed, target)
    }
    let waiting = parked.filter { $0.group == group }
    parked.removeAll { $0.group == group }
    for routed in waiting { attempt(routed) }
  }

  private func settle(_ routed: Routed, _ body: WireResponse.OneOf_Body, from target: NodeID) {
    guard case .failure(let failure) = body else {
      if hints[routed.group] != target { hints[routed.group] = target }
      if case .write(let answer) = body, answer.version == 0, !answer.recorded, routed.mayBeApplied {
        return routed.reply(Router.unsettled("no value was found to delete"))
      }
      return routed.reply(body)
    }
    routed.lastObstacle = failure.message
    switch failure.code {
    case .notLeader:
      hints[routed.group] = failure.leader == 0 ? nil : NodeID(rawValue: failure.leader)
      routed.tried.insert(target)
      park(routed)
    case .unknownOutcome where isRepeatable(routed.request):
      routed.noteMaybeApplied()
      park(routed)
    case _ where routed.mayBeApplied && !failure.recorded:
      routed.reply(Router.unsettled(failure.message))
    default:
      routed.reply(body)
    }
  }

  /// The answer where an attempt was lost and a later one was refused. The first may wait somewhere yet, and be applied
  /// when the condition that was just found false holds: only a recorded outcome settles a write.
  private static func unsettled(_ words: String) -> WireResponse.OneOf_Body {
    WireFailure.because(.unknownOutcome, "an attempt may have been applied, or will be; another found: \(words)")
  }

  /// Whether the same request can be sent again although it may have been applied: its id keeps it from being so twice.
  private func isRepeatable(_ request: WireRequest) -> Bool {
    switch request.body {
    case .write, .batch: true
    default: false
    }
  }

  private func park(_ routed: Routed) {
    guard node.now < routed.deadline else { return giveUp(routed) }
    if routed.mayBeApplied, !isRepeatable(routed.request) { return giveUp(routed) }
    parked.append(routed)
  }

  private func giveUp(_ routed: Routed) {
    let group = routed.group == .catalog ? "the catalog" : "partition \(routed.group)"
    if let problem = node.fences.problem(of: routed.group) { routed.lastObstacle += "; \(problem)" }
    if routed.mayBeApplied {
      routed.reply(WireFailure.because(.unknownOutcome, "\(group): \(routed.lastObstacle)"))
    } else {
      routed.reply(WireFailure.because(.unavailable, "\(group): \(routed.lastObstacle)"))
    }
  }

  /// The node that leads a group, as far as this one can tell.
  func leader(of group: GroupID) -> NodeID? {
    var tried: Set<NodeID> = []
    return leader(of: group, rather: &tried)
  }

  /// The node that leads a group, as far as this one can tell. Where nothing is known but who holds it, one that was not
  /// `tried` yet: whom the catalog prefers may be dead.
  private func leader(of group: GroupID, rather tried: inout Set<NodeID>) -> NodeID? {
    if let replica = node.replicas[group], replica.core.leader != .none { return replica.core.leader.node }
    let catalog = node.catalog.catalog
    if group != .catalog, node.replicas[group] == nil { node.foreignLeaders.wasUsed() }
    // That this node itself leads is what others believed before its replica was fenced, or moved away; and who has left
    // since answers nobody, nor does who is down.
    if let hint = hints[group], hint != node.id, catalog?.node(hint) != nil, !isSilent(hint) { return hint }
    guard let catalog else { return nil }
    // A replica that was taken out hears of no leader any more.
    if let replica = node.replicas[group], group == .catalog || catalog.holds(replica.id, of: group) { return nil }
    var holders = catalog.living.map { NodeID(rawValue: $0.id) }
    if group != .catalog {
      let voters = catalog.map.lookup(group)?.voters.map(\.node) ?? []
      holders = (catalog.preferredLeader(of: group).map { [$0] } ?? []) + voters
    }
    holders.removeAll { $0 == node.id }
    if holders.allSatisfy(tried.contains) { tried.removeAll() }
    let untried = holders.filter { !tried.contains($0) }
    return untried.first { !isSilent($0) } ?? untried.first
  }

  private func isSilent(_ peer: NodeID) -> Bool { node.silence.contains(peer, at: node.now) }
}
