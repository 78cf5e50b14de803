internal import COpenSSL

extension TLSSession {
  /// What resumes this connection's session later, on the client's side: a secret. Nil while the server has sent no
  /// ticket; it comes with or before its first data.
  public var resumption: [UInt8]? {
    guard isEstablished, kind == .member, let session = SSL_get1_session(ssl) else { return nil }
    defer { SSL_SESSION_free(session) }
    guard SSL_SESSION_is_resumable(session) == 1 else { return nil }
    return OpenSSL.der { i2d_SSL_SESSION(session, $0) }
  }

  /// Offers an earlier session if its server would still be believed; otherwise the handshake will be a full one.
  func offer(_ saved: [UInt8]) {
    defer { ERR_clear_error() }
    guard let (session, complete) = OpenSSL.fromDER(saved, { d2i_SSL_SESSION(nil, $0, $1) }) else { return }
    defer { SSL_SESSION_free(session) }
    guard complete, SSL_SESSION_get_protocol_version(session) == TLS1_3_VERSION,
      let certificate = SSL_SESSION_get0_peer(session), check.refusal(of: certificate) == nil
    else { return }
    SSL_set_session(ssl, session)
  }
}
