import Bytes
import TLS
import Testing

/// A cluster's certificates, and contexts made of them.
struct Cluster {
  let id: String
  let authority: CertificateAuthority

  init(_ id: String = "alpha", validity: Validity = .authority) throws {
    self.id = id
    authority = try CertificateAuthority.create(clusterID: id, validity: validity)
  }

  init(_ authority: CertificateAuthority) {
    id = authority.clusterID
    self.authority = authority
  }

  func node(_ number: UInt32) -> PeerIdentity { .node(cluster: id, id: NodeID(rawValue: number)) }
  func user(_ name: String = "ada", _ role: PeerIdentity.Role = .writer) -> PeerIdentity {
    .client(cluster: id, name: name, role: role)
  }

  func issue(_ identity: PeerIdentity, validity: Validity = .leaf) throws -> (Certificate, PrivateKey) {
    let key = try PrivateKey.generate()
    return (try authority.sign(try SigningRequest(key: key), identity: identity, validity: validity), key)
  }

  func server(
    _ identity: PeerIdentity? = nil, validity: Validity = .leaf, trusting ca: Certificate? = nil,
    acceptsEnrolment: Bool = true, revoked: @escaping TLSContext.Revocation = { _, _ in false },
    clock: @escaping TLSContext.WallClock = Validity.now
  ) throws -> TLSContext {
    let (certificate, key) = try issue(identity ?? node(1), validity: validity)
    return try .server(
      certificate: certificate, key: key, ca: ca ?? authority.certificate, cluster: id,
      acceptsEnrolment: acceptsEnrolment, revoked: revoked, clock: clock)
  }

  func client(
    as identity: PeerIdentity? = nil, validity: Validity = .leaf, trusting ca: Certificate? = nil,
    revoked: @escaping TLSContext.Revocation = { _, _ in false },
    clock: @escaping TLSContext.WallClock = Validity.now
  ) throws -> TLSContext {
    let (certificate, key) = try issue(identity ?? user(), validity: validity)
    return try .client(
      certificate: certificate, key: key, ca: ca ?? authority.certificate, cluster: id, revoked: revoked,
      clock: clock)
  }
}

extension Cluster {
  /// A client whose certificate and key are read by the handshake that needs them.
  func deferredClient(
    _ credentials: @escaping @Sendable () throws(TLSError) -> ClientCredentials
  ) throws -> TLSContext {
    try .client(cluster: id, reading: credentials)
  }

  /// A client with this cluster's certificate that believes in another cluster, and goes there.
  func client(into other: Cluster) throws -> TLSContext {
    let (certificate, key) = try issue(user())
    return try .client(
      certificate: certificate, key: key, ca: other.authority.certificate, cluster: other.id)
  }
}

/// One end of a connection in memory.
final class Endpoint {
  let session: TLSSession
  var received: [UInt8] = []
  var error: TLSError?
  var ended = false

  init(_ session: TLSSession) { self.session = session }

  /// The ciphertext that waits to be carried.
  func output() -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: session.pendingOutput)
    let count = bytes.withUnsafeMutableBytes { session.takeOutput(into: $0) }
    #expect(count == bytes.count)
    return bytes
  }

  func start() {
    advance { () throws(TLSError) in _ = try session.handshake() }
  }

  func feed(_ ciphertext: [UInt8]) {
    guard error == nil else { return }
    advance { () throws(TLSError) in
      try ciphertext.withUnsafeBufferPointer { (bytes) throws(TLSError) in
        try session.withInput(UnsafeRawBufferPointer(bytes)) { () throws(TLSError) in
          if try session.handshake() { try readAll() }
        }
      }
    }
  }

  private func readAll() throws(TLSError) {
    var room = [UInt8](repeating: 0, count: 5000)
    while !ended {
      let progress = try room.withUnsafeMutableBufferPointer { (buffer) throws(TLSError) in
        try session.read(into: UnsafeMutableRawBufferPointer(buffer))
      }
      switch progress {
      case .bytes(let count): received += room[..<count]
      case .wantsInput: return
      case .end: ended = true
      }
    }
  }

  /// Encrypts, with as much lent room as told; the rest waits inside.
  func write(_ plaintext: [UInt8], room: Int = 1 << 25) throws -> [UInt8] {
    var out = [UInt8](repeating: 0, count: min(room, TLSSession.ciphertextBytes(for: plaintext.count)))
    let count = try plaintext.withUnsafeBytes { bytes in
      try out.withUnsafeMutableBytes { try session.write(bytes, into: $0) }
    }
    return Array(out[..<count]) + output()
  }

  private func advance(_ body: () throws(TLSError) -> Void) {
    do throws(TLSError) { try body() } catch { self.error = error }
  }
}

/// A client and a server joined in memory.
struct Pair {
  let client: Endpoint
  let server: Endpoint

  init(client: TLSContext, server: TLSContext, expected: NodeID? = nil, resuming: [UInt8]? = nil) throws {
    self.client = Endpoint(try TLSSession(client: client, expected: expected, resuming: resuming))
    self.server = Endpoint(try TLSSession(server: server))
  }

  /// Carries bytes to and fro until neither side has anything to say.
  func run() {
    client.start()
    for _ in 0..<20 {
      let there = client.output()
      if !there.isEmpty { server.feed(there) }
      let back = server.output()
      if !back.isEmpty { client.feed(back) }
      if there.isEmpty && back.isEmpty { return }
    }
    Issue.record("the two sides never come to rest")
  }

  var isEstablished: Bool { client.session.isEstablished && server.session.isEstablished }

  /// One byte there and one back, so that tickets and late alerts arrive.
  func echo() throws {
    server.feed(try client.write([1]))
    client.feed(try server.write([2]))
    #expect(server.received == [1])
    #expect(client.received == [2])
  }
}
