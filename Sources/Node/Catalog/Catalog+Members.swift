import Bytes
import HashRing
import Wire

// Members that come to stay, leave, or are lost.
extension Catalog {
  /// The members that neither leave nor are lost, by ascending id.
  var staying: [WireCatalogNode] { state.nodes.filter { $0.departure == .stays } }
  /// The members that may hold replicas.
  var takers: [WireCatalogNode] { staying.filter { $0.share > 0 } }
  /// The members that are not lost.
  var living: [WireCatalogNode] { state.nodes.filter { $0.departure != .isLost } }
  /// The nodes whose certificates are refused: those that are members no more, those declared lost, and those that were
  /// struck out.
  var refused: [NodeID] {
    (state.removedNodes + state.recoveries.flatMap(\.lost)).map { NodeID(rawValue: $0) }
      + state.nodes.filter { $0.departure == .isLost }.map { NodeID(rawValue: $0.id) }
  }
  /// How many replicas a partition shall have, as far as there are nodes.
  var replicasWanted: Int { min(Int(state.replicasWanted), max(1, takers.count)) }

  /// Whether a node may be given leaderships.
  func mayLead(_ id: NodeID) -> Bool {
    node(id).map { !$0.isFull && $0.departure == .stays } ?? false
  }

  /// The number of replicas of partitions that each node is listed with.
  var replicaCounts: [NodeID: Int] {
    var counts: [NodeID: Int] = [:]
    for partition in state.partitions {
      for replica in partition.replicas { counts[ReplicaID(rawValue: replica.id).node, default: 0] += 1 }
    }
    return counts
  }

  /// How many partitions have replicas to come or to go.
  var movingCount: Int {
    let gone = Set(state.nodes.filter { $0.departure != .stays }.map(\.id))
    return state.partitions.count { partition in
      partition.hasSplit || partition.replicas.count < replicasWanted
        || partition.replicas.contains { $0.state != .voter || gone.contains(ReplicaID(rawValue: $0.id).node.rawValue) }
    }
  }

  mutating func apply(_ change: WireCatalogCommand.NodeDeparture) throws(Refusal) {
    guard let place = state.nodes.firstIndex(where: { $0.id == change.node }) else {
      throw .stale("no node \(change.node)")
    }
    let present = state.nodes[place].departure
    switch change.departure {
    case .stays:
      guard present != .isLost else { throw .forbidden("node \(change.node) was declared lost") }
    case .leaves, .isLost:
      guard takers.contains(where: { $0.id != change.node }) else {
        throw .forbidden("node \(change.node) is the last that may hold replicas")
      }
      // Who is lost doesn't come back.
      guard present != .isLost else { return }
    case .UNRECOGNIZED(let number): throw .malformed("departure \(number)")
    }
    state.nodes[place].departure = change.departure
    guard change.departure == .isLost else { return }
    try dropArrivals(at: NodeID(rawValue: change.node))
  }

  /// Replicas that were on their way to a node won't arrive.
  private mutating func dropArrivals(at node: NodeID) throws(Refusal) {
    for place in state.partitions.indices {
      var partition = state.partitions[place]
      partition.replicas.removeAll { $0.state == .joining && ReplicaID(rawValue: $0.id).node == node }
      guard partition.replicas.count < state.partitions[place].replicas.count else { continue }
      try replace(place, with: partition)
    }
  }

  /// Takes a node that has given everything away out of the members.
  mutating func remove(_ id: NodeID) throws(Refusal) {
    guard let node = node(id) else { throw .stale("no node \(id)") }
    guard node.departure != .stays else { throw .stale("node \(id) stays") }
    guard replicaCounts[id] == nil else { throw .stale("node \(id) has replicas") }
    state.nodes.removeAll { $0.id == id.rawValue }
    state.removedNodes.append(id.rawValue)
    state.removedNodes.sort()
  }

  mutating func apply(_ change: WireCatalogCommand.NodePlace) throws(Refusal) {
    guard let place = state.nodes.firstIndex(where: { $0.id == change.node }) else {
      throw .stale("no node \(change.node)")
    }
    guard change.weight > 0 || takers.contains(where: { $0.id != change.node }) else {
      throw .forbidden("node \(change.node) is the last that may hold replicas")
    }
    guard change.zone.utf8.count <= Limits.zoneBytes, change.weight <= Limits.weight else {
      throw .malformed("a zone of \(change.zone.utf8.count) bytes, weight \(change.weight)")
    }
    state.nodes[place].zone = change.zone
    state.nodes[place].weight = change.weight
  }
}

extension WireCatalogNode {
  /// Its part of the load against those of the others.
  var share: UInt32 { hasWeight ? weight : 1 }
}
