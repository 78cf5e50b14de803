internal import COpenSSL
internal import Synchronization

/// What a client shows of itself, and the CA that it believes.
public struct ClientCredentials: Sendable {
  let certificate: Certificate
  let key: PrivateKey
  let ca: Certificate

  /// Credentials of these parts.
  public init(certificate: Certificate, key: PrivateKey, ca: Certificate) {
    self.certificate = certificate
    self.key = key
    self.ca = ca
  }
}

/// Credentials that are read when a handshake first asks for them. One that resumes a session asks for none, and to
/// read them takes a short command longer than its request does.
final class DeferredCredentials: Sendable {
  typealias Reading = @Sendable () throws(TLSError) -> ClientCredentials

  private let read: Reading
  private let known = Mutex<ClientCredentials?>(nil)

  init(_ read: @escaping Reading) {
    self.read = read
  }

  /// The certificate of the CA.
  func ca() throws(TLSError) -> Certificate { try credentials().ca }

  /// Shows certificate and key to the server that asks for them.
  func present(on ssl: OpaquePointer) throws(TLSError) {
    let own = try credentials()
    try OpenSSL.check(SSL_use_certificate(ssl, own.certificate.pointer), "the certificate")
    try OpenSSL.check(SSL_use_PrivateKey(ssl, own.key.pointer), "the key")
  }

  private func credentials() throws(TLSError) -> ClientCredentials {
    let read = read
    return try known.withLock { (known) throws(TLSError) in
      if let known { return known }
      let fresh = try read()
      try fresh.key.check(isOf: fresh.certificate)
      known = fresh
      return fresh
    }
  }
}
