/// Why a blocking connection could not be made, or ended.
public enum ConnectionError: Error, Equatable, Sendable {
  /// What was being done when the time was up.
  public enum Phase: String, Sendable {
    case connect = "connecting"
    case handshake = "the TLS handshake"
    case send = "sending"
    case receive = "waiting for a reply"
  }

  /// The name has no address.
  case unresolved(host: String, why: String)
  /// No process listens there.
  case refused(address: String)
  /// No way leads there.
  case unreachable(address: String, why: String)
  /// The time was up; `sent` counts the bytes that may have reached the peer (`BlockingConnection.bytesSent`).
  case timeout(Phase, milliseconds: Int, sent: Int)
  /// The handshake failed; also where the server's refusal came only with the first read, as TLS 1.3 allows: it has
  /// then read none of what was sent.
  case tls(TLSError)
  /// The connection broke; `sent` counts the bytes that may have reached the peer (`BlockingConnection.bytesSent`).
  case broken(why: String, sent: Int)

  /// Whether the peer can't have acted on anything that was sent on the connection.
  public var certainlyNotReceived: Bool {
    switch self {
    case .unresolved, .refused, .unreachable, .tls: true
    case .timeout(_, _, let sent), .broken(_, let sent): sent == 0
    }
  }
}

extension ConnectionError: CustomStringConvertible {
  public var description: String {
    switch self {
    case .unresolved(let host, let why): "no address for \(host): \(why)"
    case .refused(let address): "\(address) refuses connections; is a node running there?"
    case .unreachable(let address, let why): "\(address) cannot be reached: \(why)"
    case .timeout(let phase, let milliseconds, _): "\(phase.rawValue) took longer than \(milliseconds) ms"
    case .tls(let error): error.description
    case .broken(let why, _): "the connection broke: \(why)"
    }
  }
}
