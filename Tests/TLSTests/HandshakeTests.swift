import Bytes
import TLS
import Testing

@Suite("Handshakes")
struct HandshakeTests {
  let cluster: Cluster
  let other: Cluster

  init() throws {
    cluster = try Cluster("alpha")
    other = try Cluster("beta")
  }

  /// What both sides say of a handshake; the client's error may come with its first read.
  private func outcome(
    _ client: TLSContext, _ server: TLSContext, expected: NodeID? = nil
  ) throws -> (client: TLSError?, server: TLSError?) {
    let pair = try Pair(client: client, server: server, expected: expected)
    pair.run()
    return (pair.client.error, pair.server.error)
  }

  @Test("A client and a node of one cluster know each other afterwards")
  func mutual() throws {
    let pair = try Pair(client: try cluster.client(), server: try cluster.server(), expected: NodeID(rawValue: 1))
    pair.run()
    #expect(pair.isEstablished)
    #expect(pair.client.session.peer == cluster.node(1))
    #expect(pair.server.session.peer == cluster.user())
    #expect(pair.server.session.kind == .member)
    #expect(pair.server.session.peerSerial.count > 12)
    try pair.echo()
  }

  @Test("A node may be the client")
  func nodes() throws {
    let pair = try Pair(client: try cluster.client(as: cluster.node(2)), server: try cluster.server())
    pair.run()
    #expect(pair.server.session.peer == cluster.node(2))
  }

  @Test("A joiner needs no certificate and is known as one")
  func enrolment() throws {
    let pin = try cluster.authority.certificate.sha256()
    let pair = try Pair(client: try .enrolClient(caPin: pin, cluster: "alpha"), server: try cluster.server())
    pair.run()
    #expect(pair.isEstablished)
    #expect(pair.server.session.kind == .enrolment)
    #expect(pair.client.session.kind == .enrolment)
    #expect(pair.server.session.peer == nil)
    #expect(pair.client.session.peer == cluster.node(1))
    try pair.echo()
    #expect(pair.client.session.resumption == nil)
  }

  @Test("A joiner leaves a server with another CA than the pinned before it sends anything")
  func wrongPin() throws {
    let pin = try other.authority.certificate.sha256()
    let pair = try Pair(client: try .enrolClient(caPin: pin), server: try cluster.server())
    pair.run()
    #expect(pair.client.error == .wrongPin)
    #expect(pair.server.error == .unknownCA(.own))
    #expect(throws: TLSError.wrongPin) { try pair.client.write([1]) }
  }

  @Test("A joiner leaves a server that shows the pinned CA but was not signed by it")
  func stolenCA() throws {
    let (certificate, key) = try other.issue(other.node(1))
    let impostor = try TLSContext.server(
      certificate: certificate, key: key, ca: cluster.authority.certificate, cluster: "alpha")
    let pin = try cluster.authority.certificate.sha256()
    let result = try outcome(try .enrolClient(caPin: pin), impostor)
    #expect(result.client == .unknownCA(.peer))
    let named = try outcome(try .enrolClient(caPin: pin, cluster: "alpha"), impostor)
    #expect(named.client == .wrongCluster(expected: "alpha", found: "beta"))
  }

  @Test("A joiner leaves a client that poses as a server")
  func joinerMeetsClient() throws {
    let pin = try cluster.authority.certificate.sha256()
    let result = try outcome(try .enrolClient(caPin: pin), try cluster.server(cluster.user()))
    #expect(result.client == .wrongNode(expected: nil, found: cluster.user().description))
  }

  @Test("A server that takes no joiners says so")
  func noEnrolment() throws {
    let pin = try cluster.authority.certificate.sha256()
    let result = try outcome(try .enrolClient(caPin: pin), try cluster.server(acceptsEnrolment: false))
    #expect(result.client == .alpn)
    #expect(result.server == .alpn)
  }

  @Test("A client refuses a server of another cluster, and names both")
  func wrongCluster() throws {
    let result = try outcome(try cluster.client(), try other.server())
    #expect(result.client == .wrongCluster(expected: "alpha", found: "beta"))
    #expect(result.server == .unknownCA(.own))
    #expect(result.client?.meaning == .notThisCluster)
  }

  @Test("A server refuses a client of another cluster, who learns it with its first read")
  func wrongClientCluster() throws {
    let result = try outcome(try other.client(into: cluster), try cluster.server())
    #expect(result.server == .wrongCluster(expected: "alpha", found: "beta"))
    #expect(result.client == .unknownCA(.own))
    #expect(result.client?.isRefusal == true)
  }

  @Test("A CA of the same name with another key is not the cluster's")
  func sameName() throws {
    let twin = try Cluster("alpha")
    let result = try outcome(try cluster.client(), try twin.server())
    #expect(result.client == .unknownCA(.peer))
    let reverse = try outcome(try twin.client(into: cluster), try cluster.server())
    #expect(reverse.server == .unknownCA(.peer))
    #expect(reverse.client == .unknownCA(.own))
  }

  @Test("A certificate of the right CA that names another cluster is refused")
  func foreignName() throws {
    let (certificate, key) = try cluster.issue(cluster.node(1))
    let server = try TLSContext.server(
      certificate: certificate, key: key, ca: cluster.authority.certificate, cluster: "gamma")
    #expect(try outcome(try cluster.client(), server).server == .wrongCluster(expected: "gamma", found: "alpha"))
  }

  @Test("A client refuses a node that is not the one it wants")
  func wrongNode() throws {
    let result = try outcome(try cluster.client(), try cluster.server(cluster.node(7)), expected: NodeID(rawValue: 3))
    #expect(result.client == .wrongNode(expected: NodeID(rawValue: 3), found: "node 7 of cluster alpha"))
    #expect(result.client?.meaning == .notThisCluster)
  }

  @Test("A client refuses a client that poses as a server")
  func clientAsServer() throws {
    let result = try outcome(try cluster.client(), try cluster.server(cluster.user("eve", .admin)))
    #expect(result.client == .wrongNode(expected: nil, found: "admin client eve of cluster alpha"))
  }

  @Test("An expired certificate is refused by name, on either side, and its owner is told")
  func expired() throws {
    let past = Validity(notBefore: Validity.now() - 7200, notAfter: Validity.now() - 3600)
    let server = try outcome(try cluster.client(), try cluster.server(validity: past))
    #expect(server.client == .expired(.peer))
    #expect(server.server == .expired(.own))
    let client = try outcome(try cluster.client(validity: past), try cluster.server())
    #expect(client.server == .expired(.peer))
    #expect(client.client == .expired(.own))
    #expect(client.client?.isRefusal == true)
    #expect(server.client?.isRefusal == false)
  }

  @Test("A certificate of tomorrow is refused by name, on either side, and its owner is told")
  func notYetValid() throws {
    let future = Validity(notBefore: Validity.now() + 86_400, notAfter: Validity.now() + 172_800)
    let server = try outcome(try cluster.client(), try cluster.server(validity: future))
    #expect(server.client == .notYetValid(.peer))
    #expect(server.server == .notYetValid(.own))
    let client = try outcome(try cluster.client(validity: future), try cluster.server())
    #expect(client.server == .notYetValid(.peer))
    #expect(client.client == .notYetValid(.own))
  }

  @Test("An expired CA makes all its certificates expired")
  func expiredCA() throws {
    let old = try Cluster("alpha", validity: Validity(notBefore: 1_000_000, notAfter: Validity.now() - 60))
    let result = try outcome(try old.client(), try old.server())
    #expect(result.client == .expired(.peer))
  }

  @Test("A revoked certificate is refused by name, on either side, and its owner is told")
  func revoked() throws {
    let eve = cluster.user("eve")
    let server = try cluster.server(revoked: { _, identity in identity == eve })
    let refused = try outcome(try cluster.client(as: eve), server)
    #expect(refused.server == .revoked(.peer))
    #expect(refused.client == .revoked(.own))
    #expect(try outcome(try cluster.client(), server).server == nil)

    let node = cluster.node(1)
    let client = try cluster.client(revoked: { _, identity in identity == node })
    let left = try outcome(client, try cluster.server())
    #expect(left.client == .revoked(.peer))
    #expect(left.server == .revoked(.own))
  }

  @Test("Revocation goes by serial number too")
  func revokedSerial() throws {
    let (certificate, key) = try cluster.issue(cluster.user())
    let serial = certificate.serial
    let client = try TLSContext.client(
      certificate: certificate, key: key, ca: cluster.authority.certificate, cluster: cluster.id)
    let server = try cluster.server(revoked: { number, _ in number == serial })
    #expect(try outcome(client, server).server == .revoked(.peer))
  }

  @Test(
    "A peer that does not speak TLS is named as such, whatever it begins with",
    arguments: ["GET / HTTP/1.1\r\n\r\n", "SSH-2.0-OpenSSH_9.2\r\n", "\0", "*1\r\n$4\r\nPING\r\n"])
  func plainText(greeting: String) throws {
    for session in [
      try TLSSession(server: try cluster.server()), try TLSSession(client: try cluster.client()),
    ] {
      let end = Endpoint(session)
      end.start()
      _ = end.output()
      end.feed(Array(greeting.utf8))
      let head = Array(greeting.utf8.prefix(16))
      #expect(end.error == .notTLS(found: Escaping.text(head)))
      #expect(end.error?.meaning == .notThisCluster)
      #expect(end.output().isEmpty)
    }
  }

  @Test("A peer that leaves during the handshake, and one that never said anything, are named as such")
  func leaves() throws {
    let session = try TLSSession(server: try cluster.server())
    #expect(session.inputEnded() == .closedDuringHandshake)
    #expect(throws: TLSError.closedDuringHandshake) { try session.handshake() }
  }

  @Test("Plaintext before the handshake is an error of the caller's, not a leak")
  func early() throws {
    let end = Endpoint(try TLSSession(client: try cluster.client()))
    end.start()
    _ = end.output()
    #expect(throws: TLSError.self) { try end.write([1]) }
    #expect(end.output().isEmpty)
  }

  @Test("A context whose key is not its certificate's is refused")
  func foreignKey() throws {
    #expect(throws: TLSError.self) {
      try TLSContext.client(
        certificate: try cluster.issue(cluster.user()).0, key: try PrivateKey.generate(),
        ca: cluster.authority.certificate, cluster: "alpha")
    }
  }

  @Test("Every error says in one line what happened and what to try")
  func words() {
    let errors: [TLSError] = [
      .notTLS(found: "x"), .expired(.peer), .expired(.own), .notYetValid(.peer), .unknownCA(.own),
      .wrongCluster(expected: "a", found: "b"), .wrongNode(expected: nil, found: "c"), .noIdentity(.peer),
      .noCertificate(.own), .noCertificate(.peer), .revoked(.own), .wrongPin, .protocolVersion, .alpn,
      .closedDuringHandshake, .alert("x"), .protocolViolation("x"), .truncated, .closed, .malformed("x"),
      .invalid("x"), .internal("x"),
    ]
    for error in errors {
      #expect(error.description.count > 10 && !error.description.contains("\n"))
    }
    #expect(Set(errors.map(\.description)).count == errors.count)
  }
}
