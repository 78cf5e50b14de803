public import Bytes
import Glibc
import NIOCore
public import TLS

/// Why a connection could not be made, or ended.
public enum TransportError: Error, Equatable, Sendable {
  /// No listener could be opened on the address.
  case bind(address: String, why: String)
  /// The address can't be reached: nothing was sent.
  case connect(address: String, why: String)
  /// The handshake took longer than the milliseconds given.
  case handshakeTimeout(milliseconds: Int64)
  /// The handshake failed, or TLS broke later.
  case tls(TLSError)
  /// The peer sent a malformed, oversized or unknown frame.
  case frame(ByteError)
  /// The peer took too little of what it was sent.
  case slowPeer(waitingBytes: Int)
  /// The listener holds as many connections as it may.
  case tooManyConnections(limit: Int)
  /// The transport broke.
  case broken(why: String)
  /// The peer closed the connection in order.
  case closedByPeer
  /// This side closed the connection.
  case closedHere

  /// Why the system opens no listener, in words for whoever chose the address.
  public static func bindWords(_ error: any Error) -> String {
    guard let code = (error as? IOError)?.errnoCode else { return "\(error)" }
    return bindWords(code)
  }

  /// What an error of bind(2) or listen(2) says.
  public static func bindWords(_ code: Int32) -> String {
    code == EADDRINUSE
      ? "another program listens there; end it, or choose another port" : String(cString: strerror(code))
  }
}

extension TransportError: CustomStringConvertible {
  public var description: String {
    switch self {
    case .bind(let address, let why): "cannot listen on \(address): \(why)"
    case .connect(let address, let why): "cannot connect to \(address): \(why)"
    case .handshakeTimeout(let milliseconds): "the TLS handshake was not done after \(milliseconds) ms"
    case .tls(let error): error.description
    case .frame(let error): "bad frame: \(error)"
    case .slowPeer(let bytes): "the peer does not take its output; \(bytes) bytes wait for it"
    case .tooManyConnections(let limit): "there are \(limit) connections already, as many as may be"
    case .broken(let why): "the connection broke: \(why)"
    case .closedByPeer: "closed by the peer"
    case .closedHere: "closed by this node"
    }
  }
}
