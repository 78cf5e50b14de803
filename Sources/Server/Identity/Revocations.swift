import Synchronization
import TLS

/// The certificates that are revoked by now, and the nodes that are members no more: none of their certificates is
/// believed. Changed on the node's loop, asked at every handshake on any thread.
final class Revocations: Sendable {
  private let serials = Mutex<Set<[UInt8]>>([])
  private let nodes = Mutex<Set<UInt32>>([])
  /// The nodes that were refused since somebody last asked.
  private let turnedAway = Mutex<Set<UInt32>>([])

  /// Whether a certificate is revoked, by its serial number.
  func contains(_ serial: [UInt8]) -> Bool { serials.withLock { $0.contains(serial) } }

  /// Puts another list in the place of the present one.
  func replace(with revoked: [[UInt8]]) { serials.withLock { $0 = Set(revoked) } }

  /// Whether a node is refused.
  func refuses(_ node: UInt32) -> Bool { nodes.withLock { $0.contains(node) } }

  /// Refuses these nodes, and no others.
  func refuse(_ refused: [UInt32]) { nodes.withLock { $0 = Set(refused) } }

  /// The nodes that have tried to connect since this was last asked, and were refused.
  func takeTurnedAway() -> Set<UInt32> {
    turnedAway.withLock { nodes in
      defer { nodes = [] }
      return nodes
    }
  }

  private func refuses(_ identity: PeerIdentity) -> Bool {
    guard case .node(_, let id) = identity, refuses(id.rawValue) else { return false }
    turnedAway.withLock { _ = $0.insert(id.rawValue) }
    return true
  }

  /// The form in which TLS asks.
  var check: TLSContext.Revocation { { serial, identity in self.contains(serial) || self.refuses(identity) } }
}
