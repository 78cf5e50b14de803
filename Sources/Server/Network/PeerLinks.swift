import Bytes
import Client
import Node
import Wire

/// The connections that this node makes to the others, one for each way that frames go. That for replicas' states is made
/// when there is one to send, and given up when there was none for a while.
final class PeerLinks {
  /// SAFETY: the runner owns this.
  private unowned(unsafe) let runner: NodeRunner
  private var peers: [NodeID: Peer] = [:]

  private struct Peer {
    let urgent: PeerLink
    let messages: PeerLink
    var states: PeerLink?

    var all: [PeerLink] { [urgent, messages] + (states.map { [$0] } ?? []) }
  }

  init(runner: NodeRunner) {
    self.runner = runner
  }

  /// The nodes to which there are the connections that there should be.
  var openCount: Int { peers.values.count { $0.urgent.isOpen && $0.messages.isOpen } }

  /// Notes where a node is.
  func found(_ peer: NodeID, at address: HostPort) {
    if let known = peers[peer] {
      for link in known.all { link.address = address }
    } else {
      peers[peer] = Peer(urgent: link(peer, address, .urgent), messages: link(peer, address, .messages))
    }
  }

  private func link(_ peer: NodeID, _ address: HostPort, _ way: PeerFrame.Way) -> PeerLink {
    PeerLink(runner: runner, peer: peer, address: address, way: way)
  }

  /// Sends a frame to a node, if it is known where that is.
  func send(_ frame: PeerFrame, to peer: NodeID) {
    guard let known = peers[peer] else { return }
    switch frame.way {
    case .urgent: known.urgent.send(frame)
    case .messages: known.messages.send(frame)
    case .states:
      let states = known.states ?? link(peer, known.messages.address, .states)
      peers[peer]?.states = states
      states.send(frame)
    }
  }

  /// Whether so much waits for a node that entries had better wait elsewhere.
  func areBusy(_ peer: NodeID) -> Bool { peers[peer]?.messages.isBusy ?? false }

  /// Sends an answer along with all else that goes to a node; false where there is no connection.
  func answer(_ response: WireResponse, to peer: NodeID) -> Bool {
    let frame = PeerFrame.response(response)
    guard let known = peers[peer] else { return false }
    let link = frame.way == .urgent ? known.urgent : known.messages
    guard link.isOpen else { return false }
    link.send(frame)
    return true
  }

  /// Sends what was gathered.
  func flush() {
    for peer in peers.values {
      peer.urgent.flush()
      peer.messages.flush()
      peer.states?.flush()
    }
  }

  /// Makes connections that are missing, and ends those that are not needed any more.
  func tick() {
    for peer in peers.keys.sorted() {
      for link in peers[peer]?.all ?? [] { link.tick() }
      if let states = peers[peer]?.states, states.isIdle {
        states.retire()
        peers[peer]?.states = nil
      }
    }
  }

  /// Whether anything is known of a node.
  func contains(_ peer: NodeID) -> Bool { peers[peer] != nil }

  /// Ends the connections to a node for good.
  func remove(_ peer: NodeID) {
    for link in peers.removeValue(forKey: peer)?.all ?? [] { link.close() }
  }

  /// Ends those connections whose peer's certificate is revoked.
  func closeRevoked(_ revocations: Revocations) { forEach { $0.closeIfRevoked(revocations) } }

  /// Ends all connections.
  func closeAll() { forEach { $0.close() } }

  private func forEach(_ body: (PeerLink) -> Void) {
    for peer in peers.values { peer.all.forEach(body) }
  }
}
