internal import COpenSSL

extension TLSSession {
  /// Notes why a callback of libssl refuses the peer.
  func refuse(_ error: TLSError) {
    if refusal == nil { refusal = error }
  }

  /// Carries the handshake on; true once it is done. Without input it makes a client's first message.
  public func handshake() throws(TLSError) -> Bool {
    switch state {
    case .handshaking: break
    case .established: return true
    case .ended: throw .closed
    case .failed(let error): throw error
    }
    ERR_clear_error()
    let result = SSL_do_handshake(ssl)
    if result == 1 {
      try finishHandshake()
      return true
    }
    guard SSL_get_error(ssl, result) == SSL_ERROR_WANT_READ else { throw fail(result) }
    return false
  }

  private func finishHandshake() throws(TLSError) {
    do throws(TLSError) {
      let agreed = try agreedKind()
      let certificate = SSL_get0_peer_certificate(ssl)
      if agreed == .member || !check.context.isServer {
        // Checked here once more for resumed sessions, in which libssl checks no certificate.
        guard let certificate else { throw .noCertificate(.peer) }
        if let refusal = check.refusal(of: certificate) { throw refusal }
        peer = Certificate.identity(of: certificate)
        peerSerial = Certificate.serial(of: certificate)
      }
      kind = agreed
      isResumed = SSL_session_reused(ssl) == 1
      state = .established
    } catch {
      SSL_shutdown(ssl)
      state = .failed(error)
      throw error
    }
  }

  private func agreedKind() throws(TLSError) -> Kind {
    var start: UnsafePointer<UInt8>?
    var count: UInt32 = 0
    SSL_get0_alpn_selected(ssl, &start, &count)
    // SAFETY: the name lives as long as the SSL and is only compared here.
    let name = UnsafeBufferPointer(start: start, count: Int(count))
    if name.elementsEqual(Kind.member.alpn) { return .member }
    if name.elementsEqual(Kind.enrolment.alpn) { return .enrolment }
    throw .alpn
  }
}
