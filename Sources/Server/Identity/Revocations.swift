import Synchronization
import TLS

/// The certificates that are revoked by now. Changed on the node's loop, asked at every handshake on any thread.
final class Revocations: Sendable {
  private let serials = Mutex<Set<[UInt8]>>([])

  /// Whether a certificate is revoked, by its serial number.
  func contains(_ serial: [UInt8]) -> Bool { serials.withLock { $0.contains(serial) } }

  /// Puts another list in the place of the present one.
  func replace(with revoked: [[UInt8]]) { serials.withLock { $0 = Set(revoked) } }

  /// The form in which TLS asks.
  var check: TLSContext.Revocation { { serial, _ in self.contains(serial) } }
}
