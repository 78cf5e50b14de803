import Bytes
import Node
import Wire

// How the cluster says that it fares.
extension SimulatedWorld {
  /// What is not yet well; nil when every group has one leader that all its members follow, all replicas are where they
  /// should be and have applied the same.
  /// Of a cluster that has lost nodes for good only the rest is looked at, and nothing that it can't mend.
  func ailment(unless away: Set<NodeID> = [], isDiminished: Bool = false) -> String? {
    var all: [WireStatusResponse] = []
    for id in nodes where !away.contains(id) {
      guard let host = hosts[id] else { return "node \(id) is down" }
      host.node.handle(.with { $0.status = WireStatusRequest() }, from: SimulatedWorld.admin) { body in
        if case .status(let status) = body { all.append(status) }
      }
    }
    guard all.count == nodes.count - away.count else { return "a node gives no status" }
    for status in all {
      if status.groups.isEmpty { return "node \(status.node) has no groups" }
      if let goer = status.members.first(where: { $0.departure > 0 }), !isDiminished {
        return "node \(goer.id) is still a member, says node \(status.node)"
      }
      if !isDiminished, status.members.count != nodes.count {
        return "node \(status.node) knows \(status.members.count) members"
      }
      if !isDiminished, status.moving > 0 {
        return "\(status.moving) partitions are on the move, says node \(status.node)"
      }
    }
    for group in Set(all.flatMap { $0.groups.map(\.group) }).sorted() {
      let replicas = all.compactMap { status in status.groups.first { $0.group == group } }
      let leaders = replicas.count { $0.role == .leader }
      if leaders != 1 { return "group \(group) has \(leaders) leaders" }
      if Set(replicas.map(\.applied)).count != 1 { return "group \(group) is applied to \(replicas.map(\.applied))" }
      if replicas.contains(where: { $0.leader == 0 }) { return "a replica of group \(group) knows no leader" }
      let wanted = group == 0 ? Limits.catalogVoters(ofNodes: nodes.count) : min(3, nodes.count)
      if !isDiminished, replicas.contains(where: { $0.voters.count != wanted }) {
        return "group \(group) has \(replicas.map(\.voters.count)) voters"
      }
    }
    return nil
  }

  /// Lets the world run until it is well; gives what is not if that takes too long.
  func settle(milliseconds: UInt64, unless away: Set<NodeID> = [], isDiminished: Bool = false) -> String? {
    var left = milliseconds
    var found = ailment(unless: away, isDiminished: isDiminished)
    while found != nil, left >= 100 {
      run(milliseconds: 100)
      left -= 100
      found = ailment(unless: away, isDiminished: isDiminished)
    }
    return found
  }
}
