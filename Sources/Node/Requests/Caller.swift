public import Bytes
public import Wire

/// Who sent a request, as the connection's certificate says.
public enum Caller: Sendable {
  /// Another node of the cluster.
  case node(NodeID)
  /// A client that may read, and perhaps write, and perhaps govern.
  case client(canWrite: Bool, canAdminister: Bool)
  /// Somebody without a certificate, on a connection for enrolment alone.
  case stranger
}

/// Takes the answer to a request; called once, on the node's thread.
public typealias Reply = (WireResponse.OneOf_Body) -> Void

extension WireFailure {
  /// A failure with words for people.
  static func because(_ code: Code, _ message: String, leader: NodeID? = nil) -> WireResponse.OneOf_Body {
    .failure(
      .with {
        $0.code = code
        $0.message = message
        $0.leader = leader?.rawValue ?? 0
      })
  }
}
