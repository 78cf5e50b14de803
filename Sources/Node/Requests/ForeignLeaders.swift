import Bytes
import Environment
import Wire

/// Asks other nodes who leads the partitions that have no replica here, while somebody wants to know: who has a replica
/// knows at once, and this node would go on believing whom it heard of last, dead or not.
final class ForeignLeaders {
  private unowned let node: Node
  private var usedUntil = Moment(rawValue: 0)
  private var nextQuestion = Moment(rawValue: 0)
  /// The nodes that were asked and have not answered.
  private var asked: Set<NodeID> = []

  init(node: Node) {
    self.node = node
  }

  /// Somebody wanted to know who leads such a partition.
  func wasUsed() {
    if usedUntil < node.now { nextQuestion = node.now }
    usedUntil = node.now.advanced(milliseconds: Limits.foreignLeaderMemory)
  }

  /// Asks, if it is time.
  func tick() {
    let now = node.now
    guard now < usedUntil, now >= nextQuestion else { return }
    nextQuestion = now.advanced(milliseconds: Limits.foreignLeaderMilliseconds)
    for peer in whomToAsk.sorted() where !asked.contains(peer) && node.calls.hasRoom { ask(peer) }
  }

  /// Nodes of which each such partition has a replica on one, if it can be had on one that is not silent.
  private var whomToAsk: Set<NodeID> {
    var chosen: Set<NodeID> = []
    for entry in node.catalog.catalog?.map.partitions ?? [] where node.replicas[entry.group] == nil {
      let holders = entry.voters.map(\.node).filter { !node.silence.contains($0, at: node.now) }
      if let first = holders.first, chosen.isDisjoint(with: holders) { chosen.insert(first) }
    }
    return chosen
  }

  private func ask(_ peer: NodeID) {
    asked.insert(peer)
    let request = WireRequest.with {
      $0.map = WireMapRequest()
      $0.timeoutMs = UInt32(Limits.foreignLeaderMilliseconds)
    }
    node.call(peer, request, deadline: node.now.advanced(milliseconds: Limits.foreignLeaderMilliseconds)) {
      [self] result in
      asked.remove(peer)
      if case .answered(.map(let map)) = result { take(map, from: peer) }
    }
  }

  /// Believes a node in what it has replicas of.
  private func take(_ map: WireMapResponse, from peer: NodeID) {
    for partition in map.partitions where partition.leader != 0 {
      let group = GroupID(rawValue: partition.group)
      guard node.replicas[group] == nil, partition.voters.contains(where: { ReplicaID(rawValue: $0).node == peer })
      else { continue }
      node.router.learned(NodeID(rawValue: partition.leader), of: group)
    }
  }
}

/// The nodes of which nothing has come since a connection to them was lost or could not be made.
struct Silence {
  private var since: [NodeID: Moment] = [:]

  /// A connection to a node was lost, or could not be made.
  mutating func begin(_ peer: NodeID, at now: Moment) { since[peer] = now }

  /// Something came from a node.
  mutating func end(_ peer: NodeID) {
    if !since.isEmpty { since[peer] = nil }
  }

  /// Whether a node had better not be asked. That its connection could not be made is heard again and again, as long as
  /// it is so.
  func contains(_ peer: NodeID, at now: Moment) -> Bool {
    since[peer].map { now.milliseconds(since: $0) < Limits.silenceMilliseconds } ?? false
  }
}
