internal import COpenSSL

// What libssl calls during a handshake. SAFETY, for all of them: libssl calls them only inside a call that a
// TLSSession makes on its own SSL, so the session that the SSL points to is alive and on this thread.

/// The session that drives a connection.
private func session(of ssl: OpaquePointer?) -> TLSSession? {
  guard let ssl, let raw = SSL_get_ex_data(ssl, TLSSession.selfIndex) else { return nil }
  return Unmanaged<TLSSession>.fromOpaque(raw).takeUnretainedValue()
}

/// Checks the peer's certificates, in place of libssl's own check.
let verifyChain: @convention(c) (OpaquePointer?, UnsafeMutableRawPointer?) -> Int32 = { store, _ in
  guard let store, let raw = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx()),
    let session = session(of: OpaquePointer(raw))
  else { return 0 }
  guard let refusal = session.check.refusal(in: store) else { return 1 }
  session.refuse(refusal)
  return 0
}

/// Shows a client's deferred certificate to a server that asks for one.
let presentCertificate: @convention(c) (OpaquePointer?, UnsafeMutableRawPointer?) -> Int32 = { ssl, _ in
  guard let ssl, let session = session(of: ssl), let deferred = session.check.context.deferred else { return 0 }
  do throws(TLSError) {
    try deferred.present(on: ssl)
    return 1
  } catch {
    session.refuse(error)
    return 0
  }
}

/// Refuses a TLS 1.3 client that offers no ALPN: the selection below is not called for it.
let requireALPN: @convention(c) (OpaquePointer?, UnsafeMutablePointer<Int32>?, UnsafeMutableRawPointer?) -> Int32 = {
  ssl, alert, _ in
  var start: UnsafePointer<UInt8>?
  var count = 0
  func offers(_ number: Int32) -> Bool {
    SSL_client_hello_get0_ext(ssl, UInt32(number), &start, &count) == 1
  }
  // A client without supported_versions speaks TLS 1.2 at most: libssl refuses it under that name.
  guard offers(TLSEXT_TYPE_supported_versions), !offers(TLSEXT_TYPE_application_layer_protocol_negotiation) else {
    return SSL_CLIENT_HELLO_SUCCESS
  }
  session(of: ssl)?.refuse(.alpn)
  alert?.pointee = SSL_AD_NO_APPLICATION_PROTOCOL
  return SSL_CLIENT_HELLO_ERROR
}

/// Chooses the protocol. Only a joiner's goes without a certificate, and gets no session to resume.
let selectALPN:
  @convention(c) (
    OpaquePointer?, UnsafeMutablePointer<UnsafePointer<UInt8>?>?, UnsafeMutablePointer<UInt8>?, UnsafePointer<UInt8>?,
    UInt32, UnsafeMutableRawPointer?
  ) -> Int32 = { ssl, chosen, chosenCount, offered, offeredCount, _ in
    guard let ssl, let chosen, let chosenCount, let session = session(of: ssl) else {
      return SSL_TLSEXT_ERR_ALERT_FATAL
    }
    let list = UnsafeBufferPointer(start: offered, count: Int(offeredCount))
    var kinds: [TLSSession.Kind] = [.member]
    if session.check.context.acceptsEnrolment { kinds.append(.enrolment) }
    for kind in kinds {
      guard let at = position(of: kind.alpn, in: list) else { continue }
      // SAFETY: libssl copies the name out of its own list of what was offered before it goes on.
      chosen.pointee = offered.map { $0 + at }
      chosenCount.pointee = UInt8(kind.alpn.count)
      if kind == .enrolment {
        SSL_set_verify(ssl, SSL_VERIFY_NONE, nil)
        SSL_set_num_tickets(ssl, 0)
      }
      return SSL_TLSEXT_ERR_OK
    }
    session.refuse(.alpn)
    return SSL_TLSEXT_ERR_ALERT_FATAL
  }

/// Where a name stands in a list of names, each behind its length (RFC 7301).
private func position(of name: [UInt8], in list: UnsafeBufferPointer<UInt8>) -> Int? {
  var at = 0
  while at < list.count {
    let count = Int(list[at])
    guard at + 1 + count <= list.count else { return nil }
    if list[(at + 1)..<(at + 1 + count)].elementsEqual(name) { return at + 1 }
    at += 1 + count
  }
  return nil
}

/// Lets a session be resumed only while its certificate would be believed anew. Otherwise the ticket is ignored, and
/// the full handshake that follows refuses the certificate by name.
let checkTicket:
  @convention(c) (
    OpaquePointer?, OpaquePointer?, UnsafePointer<UInt8>?, Int, Int32, UnsafeMutableRawPointer?
  ) -> Int32 = { ssl, ticket, _, _, status, _ in
    guard status == SSL_TICKET_SUCCESS || status == SSL_TICKET_SUCCESS_RENEW,
      let ticket, let session = session(of: ssl), let certificate = SSL_SESSION_get0_peer(ticket),
      session.check.refusal(of: certificate) == nil
    else { return SSL_TICKET_RETURN_IGNORE_RENEW }
    return SSL_TICKET_RETURN_USE_RENEW
  }
