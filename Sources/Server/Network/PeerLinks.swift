import Bytes
import Client
import Node
import Wire

/// The connections that this node makes to the others.
final class PeerLinks {
  /// SAFETY: the runner owns this.
  private unowned(unsafe) let runner: NodeRunner
  private var messages: [NodeID: PeerLink] = [:]
  /// Made when there is a state to send, and given up when there was none for a while.
  private var states: [NodeID: PeerLink] = [:]

  init(runner: NodeRunner) {
    self.runner = runner
  }

  /// The nodes to which there is a connection.
  var openCount: Int { messages.values.count(where: \.isOpen) }

  /// Notes where a node is.
  func found(_ peer: NodeID, at address: HostPort) {
    states[peer]?.address = address
    if let link = messages[peer] {
      link.address = address
    } else {
      messages[peer] = PeerLink(runner: runner, peer: peer, address: address, purpose: .messages)
    }
  }

  /// Sends a frame to a node, if it is known where that is.
  func send(_ frame: PeerFrame, to peer: NodeID) {
    guard let link = messages[peer] else { return }
    guard case .snapshotChunk = frame else { return link.send(frame) }
    let lane = states[peer] ?? PeerLink(runner: runner, peer: peer, address: link.address, purpose: .states)
    states[peer] = lane
    lane.send(frame)
  }

  /// Sends an answer along with all else that goes to a node; false where there is no connection.
  func answer(_ response: WireResponse, to peer: NodeID) -> Bool {
    guard let link = messages[peer], link.isOpen else { return false }
    link.send(.response(response))
    return true
  }

  /// Sends what was gathered.
  func flush() { forEach { $0.flush() } }

  /// Makes connections that are missing, and ends those that are not needed any more.
  func tick() {
    for peer in messages.keys.sorted() { messages[peer]?.tick() }
    for peer in states.keys.sorted() {
      states[peer]?.tick()
      if states[peer]?.isIdle == true { states.removeValue(forKey: peer)?.close() }
    }
  }

  /// Whether anything is known of a node.
  func contains(_ peer: NodeID) -> Bool { messages[peer] != nil }

  /// Ends the connections to a node for good.
  func remove(_ peer: NodeID) {
    messages.removeValue(forKey: peer)?.close()
    states.removeValue(forKey: peer)?.close()
  }

  /// Ends those connections whose peer's certificate is revoked.
  func closeRevoked(_ revocations: Revocations) { forEach { $0.closeIfRevoked(revocations) } }

  /// Ends all connections.
  func closeAll() { forEach { $0.close() } }

  private func forEach(_ body: (PeerLink) -> Void) {
    for link in messages.values { body(link) }
    for link in states.values { body(link) }
  }
}
