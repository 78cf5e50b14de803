import Bytes
import Environment
import HashRing
import Raft
import Wire

// Requests about members and placement, on the catalog's leader.
extension Node {
  func leave(_ request: WireLeaveRequest, reply: @escaping Reply) {
    guard let catalog = catalog.catalog else { return }
    let id = NodeID(rawValue: request.node)
    guard let member = catalog.node(id) else {
      guard catalog.state.removedNodes.contains(request.node) else {
        let known = catalog.nodes.map { "\($0.id)" }.joined(separator: ", ")
        return reply(WireFailure.because(.invalid, "there is no node \(id); the members are \(known)"))
      }
      guard !request.cancel else {
        return reply(
          WireFailure.because(.refused, "node \(id) is a member no more: let the machine join as a new node"))
      }
      return reply(.leave(.with { $0.warnings = ["node \(id) is a member no more"] }))
    }
    let wanted: WireDeparture = request.cancel ? .stays : request.isLost ? .isLost : .leaves
    if let refusal = refusal(of: request, member, wanted, catalog) {
      return reply(WireFailure.because(.refused, refusal))
    }
    let answer = WireResponse.OneOf_Body.leave(.with { $0.warnings = warnings(of: wanted, id, catalog) })
    guard member.departure != wanted, member.departure != .isLost else { return reply(answer) }
    let command = WireCatalogCommand.with {
      $0.departNode = .with {
        $0.node = request.node
        $0.departure = wanted
      }
    }
    self.catalog.propose(command) { [host] outcome in
      guard case .applied = outcome else { return reply(outcome.body) }
      host.log(.info, "node \(id) \(wanted == .stays ? "stays" : wanted == .isLost ? "is declared lost" : "leaves")")
      reply(answer)
    }
  }

  /// Why a node may not go, or stay; nil where it may.
  private func refusal(
    of request: WireLeaveRequest, _ member: WireCatalogNode, _ wanted: WireDeparture, _ catalog: Catalog
  ) -> String? {
    let id = request.node
    switch wanted {
    case .stays:
      return member.departure == .isLost
        ? "node \(id) was declared lost, and its certificate is refused: let the machine join as a new node" : nil
    default:
      guard catalog.takers.contains(where: { $0.id != id }) else {
        return "node \(id) is the last that may hold replicas: all data would be lost with it; "
          + "let another node join first"
      }
      guard wanted == .isLost, member.departure != .isLost else { return nil }
      guard id != self.id.rawValue else { return "node \(id) answers this: it is not lost" }
      guard !request.force, let silence = silence(of: member), silence < Limits.lostSilenceMilliseconds else {
        return nil
      }
      return "node \(id) was heard from \(silence) ms ago: let it leave with kv leave \(id), or stop it first; "
        + "--force declares it lost nevertheless"
    }
  }

  /// For how long a member was not heard from, in milliseconds, as the catalog's leader knows; nil where it doesn't.
  private func silence(of member: WireCatalogNode) -> UInt64? {
    catalog.replica?.core.status.peers.first { $0.id == member.catalogReplica }.map { $0.silence / 1_000_000 }
  }

  /// Whether a member is there: this node, or heard from lately by the catalog's leader.
  func isHeard(_ member: WireCatalogNode) -> Bool {
    // One that never ran has matched nothing; for a moment after it was added that alone tells.
    let peer = catalog.replica?.core.status.peers.first { $0.id == member.catalogReplica }
    return member.id == id.rawValue
      || peer.map { $0.match > .zero && $0.silence < Limits.lostSilenceMilliseconds * 1_000_000 } ?? false
  }

  /// The members that the catalog's leader, this node, has not heard from lately.
  private func silent(_ catalog: Catalog) -> Set<NodeID> {
    Set(
      catalog.nodes.filter { ($0.id != self.id.rawValue) && (silence(of: $0) ?? .max) > Limits.lostSilenceMilliseconds }
        .map { NodeID(rawValue: $0.id) })
  }

  /// The partitions that have no majority of voters without some nodes.
  private func stuck(without nodes: Set<NodeID>, _ catalog: Catalog) -> [PartitionEntry] {
    catalog.map.partitions.filter { entry in
      2 * entry.voters.count { !nodes.contains($0.node) } <= entry.voters.count
    }
  }

  /// Why nodes can't be done without, in words: partitions that have a majority with them, and none when they are as
  /// good as down. nil where they can.
  func need(of nodes: Set<NodeID>, _ catalog: Catalog) -> String? {
    let revoked = catalog.nodes.filter { catalog.isRevoked(catalog.nodeIdentity($0)) }.map { NodeID(rawValue: $0.id) }
    let silent = silent(catalog).union(revoked)
    let already = Set(stuck(without: silent, catalog).map(\.group))
    let stuck = stuck(without: silent.union(nodes), catalog).filter { !already.contains($0.group) }
    guard let first = stuck.first else { return nil }
    return
      "\(stuck.count) \(stuck.count == 1 ? "partition" : "partitions") would have no majority of replicas, partition "
      + "\(first.group) among them"
  }

  private func warnings(of departure: WireDeparture, _ id: NodeID, _ catalog: Catalog) -> [String] {
    guard departure != .stays else { return [] }
    let rest = catalog.takers.count { $0.id != id.rawValue }
    var warnings: [String] = []
    if rest < Int(catalog.state.replicasWanted) {
      warnings.append(
        "\(rest) \(rest == 1 ? "node remains" : "nodes remain"): each partition will have "
          + (rest == 1
            ? "a single replica, and this node must not fail" : "\(rest) replicas, and none of these nodes may fail"))
    }
    guard departure == .isLost else { return warnings }
    let stuck = stuck(without: silent(catalog).union([id]), catalog)
    if let first = stuck.first {
      warnings.append(
        "\(stuck.count) \(stuck.count == 1 ? "partition has" : "partitions have") no majority of replicas that answer, "
          + "partition \(first.group) among them: nothing can be replaced there until one of its nodes is back")
    }
    return warnings
  }

  func plan(_ request: WirePlanRequest, reply: @escaping Reply) {
    guard let catalog = catalog.catalog else { return }
    var nodes = catalog.plannerNodes
    for id in request.leave {
      guard let place = nodes.firstIndex(where: { $0.id.rawValue == id }) else {
        return reply(WireFailure.because(.invalid, "there is no node \(id)"))
      }
      let node = nodes[place]
      nodes[place] = PlannerNode(id: node.id, zone: node.zone, weight: node.weight, isDraining: true)
    }
    guard nodes.count + request.join.count <= Limits.nodes else {
      return reply(WireFailure.because(.invalid, "a cluster has at most \(Limits.nodes) nodes"))
    }
    for (place, joiner) in request.join.enumerated() {
      guard joiner.zone.utf8.count <= Limits.zoneBytes, joiner.weight <= Limits.weight else {
        return reply(WireFailure.because(.invalid, "the zone or weight of a joiner is out of bounds"))
      }
      let id = NodeID(rawValue: catalog.state.nextNode + UInt32(place))
      nodes.append(PlannerNode(id: id, zone: joiner.zone, weight: joiner.weight))
    }
    let partitions = catalog.plannerPartitions
    let plan = Planner.plan(
      nodes: nodes, partitions: partitions, replicasWanted: Int(catalog.state.replicasWanted))
    reply(.plan(Node.response(plan, nodes, partitions, catalog)))
  }

  private static func response(
    _ plan: Plan, _ nodes: [PlannerNode], _ partitions: [PlannerPartition], _ catalog: Catalog
  ) -> WirePlanResponse {
    var before: [NodeID: UInt32] = [:]
    var after: [NodeID: UInt32] = [:]
    for partition in partitions { for node in partition.replicas { before[node, default: 0] += 1 } }
    for assignment in plan.assignments { for node in assignment.nodes { after[node, default: 0] += 1 } }
    let lost = catalog.nodes.filter { $0.departure == .isLost }.map {
      PlannerNode(id: NodeID(rawValue: $0.id), zone: $0.zone, weight: 0)
    }
    return .with {
      $0.moves = plan.moves.map { move in
        .with {
          $0.group = move.group.rawValue
          $0.from = move.from?.rawValue ?? 0
          $0.to = move.to?.rawValue ?? 0
        }
      }
      $0.shortfalls = plan.shortfalls.map { "\($0)" }
      $0.nodes = (nodes + lost).sorted { $0.id < $1.id }.map { node in
        .with {
          $0.node = node.id.rawValue
          $0.zone = node.zone
          $0.weight = node.weight
          $0.before = before[node.id] ?? 0
          $0.after = after[node.id] ?? 0
        }
      }
      $0.underWay = UInt32(
        catalog.map.partitions.reduce(0) { $0 + $1.replicas.count { $0.state == .joining } })
    }
  }
}

// Partitions that are to be cut in half.
extension Node {
  func split(_ request: WireSplitRequest, reply: @escaping Reply) {
    guard let catalog = catalog.catalog else { return }
    guard let entry = catalog.partition(GroupID(rawValue: request.group)) else {
      return reply(WireFailure.because(.invalid, "there is no partition \(request.group)"))
    }
    guard entry.bits <= request.bits else {
      return reply(.split(.with { $0.done = true }))
    }
    guard entry.bits == request.bits else {
      return reply(WireFailure.because(.invalid, "partition \(request.group) has an arc of \(entry.bits) bits"))
    }
    guard !entry.hasSplit else { return reply(.split(.with { $0.child = entry.split.child })) }
    guard entry.replicas.allSatisfy({ $0.state == .voter }) else {
      return reply(
        WireFailure.because(.unavailable, "replicas of partition \(request.group) are on the move; try again"))
    }
    let child = catalog.state.nextGroup
    let command = WireCatalogCommand.with {
      $0.beginSplit = .with {
        $0.group = entry.group
        $0.epoch = entry.epoch
      }
    }
    self.catalog.propose(command) { outcome in
      switch outcome {
      case .applied: reply(.split(.with { $0.child = child }))
      case .refused(.stale(let words)): reply(WireFailure.because(.unavailable, "\(words); try again"))
      default: reply(outcome.body)
      }
    }
  }
}
