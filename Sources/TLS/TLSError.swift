public import Bytes

/// Why a certificate, key or connection was not accepted.
public enum TLSError: Error, Equatable, Sendable {
  /// Whose certificate is meant.
  public enum Holder: Sendable {
    /// The other side's: we refuse it.
    case peer
    /// Our own: the other side refuses it and has said so by an alert.
    case own
  }

  /// The peer does not speak TLS; its first bytes, escaped.
  case notTLS(found: String)
  /// A certificate's validity has ended.
  case expired(Holder)
  /// A certificate's validity has not begun.
  case notYetValid(Holder)
  /// A certificate was not signed by the CA that its reader trusts, or its chain or signature is wrong.
  case unknownCA(Holder)
  /// The peer's certificate names another cluster.
  case wrongCluster(expected: String, found: String)
  /// The peer's certificate names another node, or a client where a node was expected.
  case wrongNode(expected: NodeID?, found: String)
  /// A certificate carries no identity in the form that this program writes.
  case noIdentity(Holder)
  /// A certificate was asked for and none was sent.
  case noCertificate(Holder)
  /// A certificate was revoked.
  case revoked(Holder)
  /// No certificate in the peer's chain has the SHA-256 that the token names.
  case wrongPin
  /// The two sides have no TLS version in common; only 1.3 is spoken.
  case protocolVersion
  /// The peer offered or chose no protocol (ALPN) that is spoken here.
  case alpn
  /// The connection ended during the handshake.
  case closedDuringHandshake
  /// The peer refused with another alert of RFC 8446 §6, by its name there.
  case alert(String)
  /// The peer broke the protocol, or bytes were damaged on their way.
  case protocolViolation(String)
  /// The connection ended without close_notify: what came before may have been cut short.
  case truncated
  /// The connection was closed before.
  case closed
  /// A certificate, key, request, session or box can't be read.
  case malformed(String)
  /// An identity, validity or other parameter that can't be used.
  case invalid(String)
  /// libssl or libcrypto failed for a reason of this host: memory, randomness, a missing algorithm.
  case `internal`(String)

  /// What the failure means for whoever wanted the connection.
  public enum Meaning: Sendable {
    /// The peer is not of this cluster, or can't show that it is (exit status 76).
    case notThisCluster
    /// The peer refuses us (exit status 77).
    case refused
    /// The connection broke; the peer may be well (exit status 69, or 75 after a request was sent).
    case broken
    /// Our own files or host are at fault (exit status 78 or 70).
    case local
  }

  /// What the failure means for whoever wanted the connection.
  public var meaning: Meaning {
    switch self {
    case .expired(.own), .notYetValid(.own), .unknownCA(.own), .noIdentity(.own), .noCertificate(.own),
      .revoked(.own), .alert:
      .refused
    case .notTLS, .expired(.peer), .notYetValid(.peer), .unknownCA(.peer), .wrongCluster, .wrongNode,
      .noIdentity(.peer), .noCertificate(.peer), .revoked(.peer), .wrongPin, .protocolVersion, .alpn:
      .notThisCluster
    case .closedDuringHandshake, .protocolViolation, .truncated, .closed: .broken
    case .malformed, .invalid, .internal: .local
    }
  }

  /// Whether the peer refuses us (exit status 77) rather than not being of this cluster (76) or gone.
  public var isRefusal: Bool { meaning == .refused }
}
