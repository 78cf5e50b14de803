import Bytes
import Synchronization
import TLS

/// The nodes whose certificates are refused: members no more. Handshakes ask it, on whichever thread they run.
final class RefusedNodes: Sendable {
  private let nodes = Mutex<Set<UInt32>>([])

  /// Refuses these nodes, and no others.
  func replace(with refused: [UInt32]) { nodes.withLock { $0 = Set(refused) } }

  /// Whether a node is refused.
  func contains(_ node: UInt32) -> Bool { nodes.withLock { $0.contains(node) } }

  /// Whether whoever has this identity is refused.
  func contains(_ identity: PeerIdentity) -> Bool {
    if case .node(_, let id) = identity { contains(id.rawValue) } else { false }
  }
}
