internal import Bytes

extension TLSError: CustomStringConvertible {
  /// What happened, why, and what to try, in one line.
  public var description: String {
    switch self {
    case .notTLS(let found):
      "the peer does not speak TLS (it began with \"\(found)\"); check host and port"
    case .expired(let holder):
      "\(holder.certificate) has expired; \(holder.renew)"
    case .notYetValid(let holder):
      "\(holder.certificate) is not valid yet; compare the clocks of both hosts"
    case .unknownCA(let holder):
      "\(holder.certificate) was not signed by the CA of \(holder.judge): check that address and cluster file belong to "
        + "the same cluster; where its authority was replaced without one of the two, kv-cert(1) says what to do"
    case .wrongCluster(let expected, let found):
      "the peer's certificate is of cluster \(found), expected \(expected); check address and cluster file"
    case .wrongNode(let expected, let found):
      "the peer is \(found), expected \(expected.map { "node \($0)" } ?? "a node"); check the address"
    case .noIdentity(let holder):
      "\(holder.certificate) names no node or client of a kv cluster; use a certificate made by kv"
    case .noCertificate(.peer):
      "the peer sent no certificate; it must have one of this cluster"
    case .noCertificate(.own):
      "the peer asks for a certificate and none was sent; use the cluster file that the cluster gave you"
    case .revoked(let holder):
      "\(holder.certificate) was revoked; ask an administrator of the cluster for a new one"
    case .wrongPin:
      "the peer's CA is not the one that the token names; check the address, or ask for a new token"
    case .protocolVersion:
      "the peer does not speak TLS 1.3; check host, port and what stands between"
    case .alpn:
      "the peer speaks TLS but not the protocol of kv; check host and port"
    case .closedDuringHandshake:
      "the peer closed the connection during the TLS handshake; check that a kv node listens there"
    case .alert(let name):
      "the peer refused the connection with the TLS alert \(name); its log says why"
    case .protocolViolation(let what):
      "the peer broke the TLS protocol, or bytes were damaged on their way: \(what)"
    case .truncated:
      "the connection broke without a farewell (close_notify)"
    case .closed:
      "the connection was closed"
    case .malformed(let what):
      "cannot be read: \(what)"
    case .invalid(let what):
      "cannot be used: \(what)"
    case .internal(let what):
      "the TLS library failed on this host: \(what)"
    }
  }
}

extension TLSError.Holder {
  fileprivate var certificate: String {
    switch self {
    case .peer: "the peer's certificate"
    case .own: "our certificate, says the peer,"
    }
  }

  fileprivate var judge: String {
    switch self {
    case .peer: "this cluster"
    case .own: "the peer's cluster"
    }
  }

  fileprivate var renew: String {
    switch self {
    case .peer: "renew it on that host, or compare the clocks of both hosts"
    case .own:
      "have another issued, by an administrator (kv cert issue), or on a node's machine (kv cert issue --directory DIR);"
        + " or compare the clocks of both hosts"
    }
  }
}
