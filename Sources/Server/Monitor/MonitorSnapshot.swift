import Node
import Wire

/// What the monitor shows: a look at a node, taken on its loop.
struct MonitorSnapshot: Sendable {
  let status: WireStatusResponse
  /// The partition map, if the node has heard of one.
  let map: WireMapResponse?
  let counters: NodeCounters
  let requests: RequestMeter
  /// Connections that others have made to this node.
  let connections: Int
  /// Other nodes to which this one has a connection.
  let peersConnected: Int
  /// Whether the node is about to stop.
  let isStopping: Bool
  /// Milliseconds since 1970.
  let wallMilliseconds: UInt64

  /// Why the node should get no requests now; empty: it should.
  var obstacles: [String] {
    var found: [String] = []
    if isStopping { found.append("the node is stopping") }
    if map == nil { found.append("the node has not heard from its cluster yet") }
    let leaderless = leaderlessGroups
    if leaderless > 0 { found.append("\(leaderless) groups of the node have no leader") }
    return found
  }

  /// The groups with a replica here whose leader isn't known.
  var leaderlessGroups: Int { status.groups.count { $0.leader == 0 && !$0.fenced } }
}

extension NodeRunner {
  /// Looks at the node; on its loop.
  func snapshot() -> MonitorSnapshot {
    loop.preconditionInEventLoop()
    var (status, map) = (WireStatusResponse(), WireMapResponse?.none)
    // Both are answered at once, from what the node knows itself.
    node.handle(.with { $0.status = WireStatusRequest() }, from: .node(node.id)) { body in
      if case .status(let answer) = body { status = answer }
    }
    node.handle(.with { $0.map = WireMapRequest() }, from: .node(node.id)) { body in
      if case .map(let answer) = body { map = answer }
    }
    return MonitorSnapshot(
      status: status, map: map, counters: node.counters, requests: requests, connections: connectionCount,
      peersConnected: connectedPeers, isStopping: isStopping, wallMilliseconds: clock.wallMilliseconds)
  }
}
