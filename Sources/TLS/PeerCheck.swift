internal import Bytes
internal import COpenSSL

/// The rules by which a peer's certificate is believed, beyond its chain of signatures.
struct PeerCheck {
  let context: TLSContext
  /// The node that a client wants to reach, where it wants a certain one.
  let expected: NodeID?

  /// Why a certificate, whose chain is right, is not believed now; nil where it is.
  func refusal(of certificate: OpaquePointer) -> TLSError? {
    guard let peer = try? Certificate(retaining: certificate) else { return .malformed("the peer's certificate") }
    let now = context.clock()
    if now > peer.validity.notAfter { return .expired(.peer) }
    if now < peer.validity.notBefore { return .notYetValid(.peer) }
    guard let identity = peer.identity else { return .noIdentity(.peer) }
    if let cluster = expectedCluster, identity.cluster != cluster {
      return .wrongCluster(expected: cluster, found: identity.cluster)
    }
    if let wrong = wrongNode(identity) { return wrong }
    return context.revoked(peer.serial, identity) ? .revoked(.peer) : nil
  }

  /// Clients talk to nodes, and to the one they expect; servers also to clients.
  func wrongNode(_ identity: PeerIdentity) -> TLSError? {
    guard !context.isServer else { return nil }
    if case .node(_, let id) = identity, expected == nil || expected == id { return nil }
    return .wrongNode(expected: expected, found: identity.description)
  }

  private var expectedCluster: String? {
    switch context.trust {
    case .cluster(let cluster): cluster
    case .pin(_, let cluster): cluster
    }
  }

  /// Checks a peer's chain and certificate in place of libssl's own check; on refusal sets the error from which libssl
  /// makes the alert.
  func refusal(in store: OpaquePointer) -> TLSError? {
    let refusal = chainRefusal(in: store)
    if let refusal { X509_STORE_CTX_set_error(store, refusal.verifyCode) }
    return refusal
  }

  private func chainRefusal(in store: OpaquePointer) -> TLSError? {
    guard let leaf = X509_STORE_CTX_get0_cert(store) else { return .noCertificate(.peer) }
    X509_STORE_CTX_set_time(store, 0, time_t(context.clock()))
    switch context.trust {
    case .cluster:
      guard let deferred = context.deferred else { return verify(store) ?? refusal(of: leaf) }
      do throws(TLSError) {
        let ca = try deferred.ca()
        return verify(store, believing: ca.pointer) ?? refusal(of: leaf)
      } catch {
        return error
      }
    case .pin(let pin, _):
      guard let ca = pinned(pin, in: store) else { return .wrongPin }
      return verify(store, believing: ca) ?? refusal(of: leaf)
    }
  }

  /// Checks the chain against one CA, which the caller keeps alive.
  private func verify(_ store: OpaquePointer, believing ca: OpaquePointer) -> TLSError? {
    guard let trusted = kv_certificates_new(), kv_certificates_push(trusted, ca) > 0 else {
      return OpenSSL.failure("a list of certificates")
    }
    // SAFETY: the list borrows the certificate; both outlive `verify`, after which `store` isn't asked again.
    defer { kv_certificates_free(trusted) }
    X509_STORE_CTX_set0_trusted_stack(store, trusted)
    return verify(store)
  }

  /// The certificate of the peer's chain that has the SHA-256.
  private func pinned(_ pin: [UInt8], in store: OpaquePointer) -> OpaquePointer? {
    let chain = X509_STORE_CTX_get0_untrusted(store)
    for index in 0..<max(0, kv_certificates_count(chain)) {
      guard let certificate = kv_certificates_at(chain, index) else { continue }
      var digest = [UInt8](repeating: 0, count: 32)
      // SAFETY: SHA-256 writes 32 bytes.
      if X509_digest(certificate, EVP_sha256(), &digest, nil) == 1, digest == pin { return certificate }
    }
    return nil
  }

  private func verify(_ store: OpaquePointer) -> TLSError? {
    guard X509_verify_cert(store) != 1 else { return nil }
    switch X509_STORE_CTX_get_error(store) {
    case X509_V_ERR_CERT_HAS_EXPIRED: return .expired(.peer)
    case X509_V_ERR_CERT_NOT_YET_VALID: return .notYetValid(.peer)
    case X509_V_ERR_INVALID_PURPOSE: return claim(in: store).flatMap(wrongNode) ?? .noIdentity(.peer)
    case X509_V_ERR_OUT_OF_MEM: return .internal("memory is short")
    default:
      // The claim is not proven, but it says best why the CA is another.
      guard let found = claim(in: store)?.cluster, let expected = expectedCluster, found != expected else {
        return .unknownCA(.peer)
      }
      return .wrongCluster(expected: expected, found: found)
    }
  }
}

extension PeerCheck {
  /// Who a peer says it is.
  private func claim(in store: OpaquePointer) -> PeerIdentity? {
    X509_STORE_CTX_get0_cert(store).flatMap { Certificate.identity(of: $0) }
  }
}

extension TLSError {
  /// The verification error from which libssl makes the alert that tells the peer most exactly.
  fileprivate var verifyCode: Int32 {
    switch self {
    case .expired: X509_V_ERR_CERT_HAS_EXPIRED
    // The only refusal that becomes the alert bad_certificate: the peer reads it so (`TLSError.init(alert:)`).
    case .notYetValid: X509_V_ERR_CERT_NOT_YET_VALID
    case .revoked: X509_V_ERR_CERT_REVOKED
    case .unknownCA, .wrongPin, .wrongCluster: X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY
    case .noIdentity, .wrongNode: X509_V_ERR_INVALID_PURPOSE
    default: X509_V_ERR_APPLICATION_VERIFICATION
    }
  }
}
