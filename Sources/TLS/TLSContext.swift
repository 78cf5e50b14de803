internal import COpenSSL

/// What the connections of one endpoint have in common: certificate, key, the CA that is trusted, the rules.
///
/// TLS 1.3 alone, with certificates on both sides and ALPN `kv/1`; a server also takes `kv-join/1`, on which a joiner
/// without a certificate may send one request. Nothing but the cluster's CA is trusted.
///
/// SAFETY: `@unchecked Sendable`: the SSL_CTX is configured before `init` returns and never changed afterwards; from
/// then on libssl locks what connections on several threads share in it. All other properties are constants.
public final class TLSContext: @unchecked Sendable {
  /// Says whether a certificate was revoked, by serial number and identity. Called at every handshake, resumed ones
  /// too, on the connection's thread.
  public typealias Revocation = @Sendable (_ serial: [UInt8], _ identity: PeerIdentity) -> Bool
  /// The wall clock in seconds since 1970.
  public typealias WallClock = @Sendable () -> Int64

  enum Trust {
    /// Peers with a certificate that the cluster's CA signed.
    case cluster(String)
    /// A server whose chain holds the CA with this SHA-256; of this cluster, where it is known.
    case pin([UInt8], cluster: String?)
  }

  let pointer: OpaquePointer
  let isServer: Bool
  let trust: Trust
  let acceptsEnrolment: Bool
  /// Where certificate, key and CA are not read before they are needed.
  let deferred: DeferredCredentials?
  let revoked: Revocation
  let clock: WallClock

  private init(
    isServer: Bool, trust: Trust, acceptsEnrolment: Bool = false, deferred: DeferredCredentials? = nil,
    revoked: @escaping Revocation = { _, _ in false }, clock: @escaping WallClock
  ) throws(TLSError) {
    _ = OpenSSL.start
    ERR_clear_error()
    pointer = try OpenSSL.made(SSL_CTX_new(isServer ? TLS_server_method() : TLS_client_method()), "a TLS context")
    self.isServer = isServer
    self.trust = trust
    self.acceptsEnrolment = acceptsEnrolment
    self.deferred = deferred
    self.revoked = revoked
    self.clock = clock
  }

  deinit {
    SSL_CTX_free(pointer)
  }

  /// A server's context. It sends its certificate and the CA's, and serves nobody without a certificate of the CA,
  /// except joiners on `kv-join/1` where `acceptsEnrolment`.
  ///
  /// While the CA is being replaced, certificates of the `former` are believed as well, and `cross` (the CA's key,
  /// signed by the former) lets those follow who know the former alone.
  public static func server(
    certificate: Certificate, key: PrivateKey, ca: Certificate, former: Certificate? = nil,
    cross: Certificate? = nil, cluster: String, acceptsEnrolment: Bool = true,
    revoked: @escaping Revocation = { _, _ in false }, clock: @escaping WallClock = Validity.now
  ) throws(TLSError) -> TLSContext {
    let context = try TLSContext(
      isServer: true, trust: .cluster(cluster), acceptsEnrolment: acceptsEnrolment, revoked: revoked, clock: clock)
    try context.configure()
    // Only what leads to the former where there is one: libssl would end a path at a CA that the peer doesn't know.
    let chain = [cross, former].compactMap(\.self)
    try context.present(certificate, key: key, chain: chain.isEmpty ? [ca] : chain)
    try context.believe([ca, former])
    context.acceptClients()
    return context
  }

  /// A client's context: a node that connects to another node. `former` and `cross` as for a server.
  public static func client(
    certificate: Certificate, key: PrivateKey, ca: Certificate, former: Certificate? = nil,
    cross: Certificate? = nil, cluster: String,
    revoked: @escaping Revocation = { _, _ in false }, clock: @escaping WallClock = Validity.now
  ) throws(TLSError) -> TLSContext {
    let context = try TLSContext(isServer: false, trust: .cluster(cluster), revoked: revoked, clock: clock)
    try context.configure()
    try context.present(certificate, key: key, chain: [cross].compactMap(\.self))
    try context.believe([ca, former])
    context.verifyServer()
    try context.offer(.member)
    return context
  }

  /// The context of a command, which makes few connections: what it shows and believes is read, once, when a handshake
  /// needs it. Errors of `reading` are errors of that handshake.
  public static func client(
    cluster: String, clock: @escaping WallClock = Validity.now,
    reading: @escaping @Sendable () throws(TLSError) -> ClientCredentials
  ) throws(TLSError) -> TLSContext {
    let context = try TLSContext(
      isServer: false, trust: .cluster(cluster), deferred: DeferredCredentials(reading), clock: clock)
    try context.configure()
    SSL_CTX_set_cert_cb(context.pointer, presentCertificate, nil)
    context.verifyServer()
    try context.offer(.member)
    return context
  }

  /// A joiner's context, without a certificate. It believes a server whose chain holds the CA with the given SHA-256,
  /// and that is a node of the given cluster, if one is given.
  public static func enrolClient(
    caPin: [UInt8], cluster: String? = nil, clock: @escaping WallClock = Validity.now
  ) throws(TLSError) -> TLSContext {
    guard caPin.count == 32 else { throw .invalid("a CA pin of \(caPin.count) bytes, expected 32") }
    let context = try TLSContext(isServer: false, trust: .pin(caPin, cluster: cluster), clock: clock)
    try context.configure()
    context.verifyServer()
    try context.offer(.enrolment)
    return context
  }
}

extension TLSContext {
  private static let cipherSuites = "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256"
  private static let groups = "P-256:X25519"
  private static let signatures = "ecdsa_secp256r1_sha256"
  private static let sessionContext = Array("kv".utf8)
  /// How long a session can be resumed, in seconds; expiry and revocation are checked at each resumption.
  private static let sessionSeconds = 24 * 3600

  private func configure() throws(TLSError) {
    try OpenSSL.check(kv_ssl_ctx_set_version(pointer, TLS1_3_VERSION), "TLS 1.3")
    try OpenSSL.check(SSL_CTX_set_ciphersuites(pointer, TLSContext.cipherSuites), "cipher suites")
    try OpenSSL.check(kv_ssl_ctx_set_groups(pointer, TLSContext.groups), "groups")
    try OpenSSL.check(kv_ssl_ctx_set_sigalgs(pointer, TLSContext.signatures), "signature algorithms")
    kv_ssl_ctx_configure(pointer)
    SSL_CTX_set_timeout(pointer, TLSContext.sessionSeconds)
    let name = TLSContext.sessionContext
    try OpenSSL.check(
      SSL_CTX_set_session_id_context(pointer, name, UInt32(name.count)), "a session id context")
    SSL_CTX_set_cert_verify_callback(pointer, verifyChain, nil)
  }

  private func present(_ certificate: Certificate, key: PrivateKey, chain: [Certificate]) throws(TLSError) {
    try key.check(isOf: certificate)
    try OpenSSL.check(SSL_CTX_use_certificate(pointer, certificate.pointer), "the certificate")
    try OpenSSL.check(SSL_CTX_use_PrivateKey(pointer, key.pointer), "the key")
    for link in chain {
      try OpenSSL.check(kv_ssl_ctx_add1_chain_cert(pointer, link.pointer), "the certificate chain")
    }
  }

  private func believe(_ authorities: [Certificate?]) throws(TLSError) {
    let store = try OpenSSL.made(SSL_CTX_get_cert_store(pointer), "a certificate store")
    for case let ca? in authorities {
      try OpenSSL.check(X509_STORE_add_cert(store, ca.pointer), "the CA's certificate")
    }
  }

  private func acceptClients() {
    SSL_CTX_set_verify(pointer, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nil)
    SSL_CTX_set_client_hello_cb(pointer, requireALPN, nil)
    SSL_CTX_set_alpn_select_cb(pointer, selectALPN, nil)
    SSL_CTX_set_session_ticket_cb(pointer, { _, _ in 1 }, checkTicket, nil)
    SSL_CTX_set_num_tickets(pointer, 1)
  }

  private func verifyServer() {
    SSL_CTX_set_verify(pointer, SSL_VERIFY_PEER, nil)
  }

  private func offer(_ kind: TLSSession.Kind) throws(TLSError) {
    let name = kind.alpn
    let list = [UInt8(name.count)] + name
    // This one function of the library gives 0 for success.
    guard SSL_CTX_set_alpn_protos(pointer, list, UInt32(list.count)) == 0 else { throw OpenSSL.failure("ALPN") }
  }
}
