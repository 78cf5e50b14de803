internal import COpenSSL

extension TLSError {
  /// The error behind a failed call of libssl, from this thread's error queue.
  init(libraryResult result: Int32) {
    let reason = OpenSSL.latestReason
    if reason >= SSL_AD_REASON_OFFSET {
      self.init(alert: reason - SSL_AD_REASON_OFFSET)
      return
    }
    switch reason {
    case SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE: self = .noCertificate(.peer)
    case SSL_R_UNSUPPORTED_PROTOCOL, SSL_R_NO_PROTOCOLS_AVAILABLE, SSL_R_WRONG_SSL_VERSION, SSL_R_VERSION_TOO_LOW,
      SSL_R_VERSION_TOO_HIGH, SSL_R_BAD_PROTOCOL_VERSION_NUMBER:
      self = .protocolVersion
    case SSL_R_NO_APPLICATION_PROTOCOL: self = .alpn
    case SSL_R_WRONG_VERSION_NUMBER, SSL_R_HTTP_REQUEST, SSL_R_HTTPS_PROXY_REQUEST:
      self = .notTLS(found: "")
    case Int32(ERR_R_MALLOC_FAILURE): self = .internal("memory is short")
    case 0: self = .internal("result \(result) without a reason")
    default: self = .protocolViolation(OpenSSL.latestError())
    }
  }

  /// What an alert of the peer says (RFC 8446 §6).
  init(alert: Int32) {
    switch alert {
    case SSL_AD_CERTIFICATE_EXPIRED: self = .expired(.own)
    case SSL_AD_BAD_CERTIFICATE: self = .notYetValid(.own)
    case SSL_AD_UNKNOWN_CA: self = .unknownCA(.own)
    case SSL_AD_CERTIFICATE_REVOKED: self = .revoked(.own)
    case SSL_AD_UNSUPPORTED_CERTIFICATE: self = .noIdentity(.own)
    case SSL_AD_CERTIFICATE_REQUIRED: self = .noCertificate(.own)
    case SSL_AD_PROTOCOL_VERSION: self = .protocolVersion
    case SSL_AD_NO_APPLICATION_PROTOCOL: self = .alpn
    default: self = .alert(TLSError.name(ofAlert: alert))
    }
  }

  private static func name(ofAlert alert: Int32) -> String {
    // SAFETY: the function gives a constant, zero-terminated string for any number.
    SSL_alert_desc_string_long(alert).map { String(cString: $0) } ?? "\(alert)"
  }
}
