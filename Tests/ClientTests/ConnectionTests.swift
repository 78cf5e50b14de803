import Bytes
import FoundationEssentials
import Glibc
import Synchronization
import TLS
import Testing
import Wire

@testable import Client

/// The client over real sockets and real TLS.
@Suite struct ConnectionTests {
  private let authority: CertificateAuthority
  private let directory = TestDirectory()
  private let key = Key("greeting")

  init() throws { authority = try CertificateAuthority.create(clusterID: "test") }

  private func issue(_ identity: PeerIdentity, by authority: CertificateAuthority? = nil) throws -> (
    Certificate, PrivateKey
  ) {
    let key = try PrivateKey.generate()
    return (try (authority ?? self.authority).sign(try SigningRequest(key: key), identity: identity), key)
  }

  private func server(_ number: UInt32 = 1, _ handler: @escaping TLSServer.Handler = Self.answer) throws -> TLSServer {
    let (certificate, key) = try issue(.node(cluster: "test", id: NodeID(rawValue: number)))
    return try TLSServer(
      try .server(certificate: certificate, key: key, ca: authority.certificate, cluster: "test"), handler)
  }

  private func file(_ addresses: [String], by authority: CertificateAuthority? = nil) throws -> ClusterFile {
    let (certificate, key) = try issue(.client(cluster: "test", name: "ada", role: .writer), by: authority)
    return ClusterFile(
      cluster: "test", addresses: addresses, authority: self.authority.certificate.der, certificate: certificate.der,
      privateKey: try key.der())
  }

  @Sendable private static func answer(_ request: WireRequest) -> WireResponse.OneOf_Body? {
    switch request.body {
    case .write(let write):
      var response = WireWriteResponse()
      response.version = write.sequence + 100
      return .write(response)
    case .get(let get):
      var response = WireGetResponse()
      response.found = true
      response.version = 7
      response.value = get.key
      return .get(response)
    default:
      var failure = WireFailure()
      failure.code = .unavailable
      return .failure(failure)
    }
  }

  @Test("put and get, values of full size included")
  func basics() throws {
    let server = try server()
    defer { server.stop() }
    let client = Client(try file([server.address]))
    #expect(try client.put(key, [1, 2, 3]) == Version(rawValue: 101))
    #expect(try client.get(key)?.value == key.bytes)
    #expect(
      try client.put(key, [UInt8](repeating: 7, count: Limits.valueBytes.rawValue)) == Version(rawValue: 102))
    #expect(server.counts.withLock { $0.connections } == 1)
  }

  @Test("the second command resumes the first one's TLS session")
  func resumption() throws {
    let server = try server()
    defer { server.stop() }
    let file = try file([server.address])
    for _ in 0..<3 { _ = try Client(file, stateDirectory: directory.path + "/s").get(key) }
    #expect(server.counts.withLock { ($0.connections, $0.resumed) } == (3, 2))
    // A session that is garbage costs a full handshake and nothing else.
    let kept = try FileManager.default.contentsOfDirectory(atPath: directory.path + "/s")
    for name in kept where name.hasPrefix("session-") { _ = directory.file("s/\(name)", [1, 2, 3]) }
    _ = try Client(file, stateDirectory: directory.path + "/s").get(key)
    #expect(server.counts.withLock { ($0.connections, $0.resumed) } == (4, 2))
    // The same user with another certificate is another client, whose role may be another.
    _ = try Client(try self.file([server.address]), stateDirectory: directory.path + "/s").get(key)
    #expect(server.counts.withLock { ($0.connections, $0.resumed) } == (5, 2))
  }

  @Test("a node that was stopped is left for the next one")
  func failover() throws {
    let (first, second) = (try server(1), try server(2))
    defer { second.stop() }
    first.stop()
    _ = try Client(try file([first.address, second.address])).put(key, [1])
    #expect(second.counts.withLock { $0.requests } >= 1)
  }

  @Test("a node that restarts between two calls costs no error and leaves no write open")
  func restart() throws {
    let asked = Mutex(0)
    let server = try server(1) { request in
      if case .write = request.body { asked.withLock { $0 += 1 } }
      return Self.answer(request)
    }
    defer { server.stop() }
    let client = Client(try file([server.address]))
    _ = try client.put(key, [1])
    server.cutConnections()
    usleep(100_000)
    _ = try client.put(key, [1])
    #expect(asked.withLock { $0 } == 2)
  }

  @Test("a certificate of another authority is refused: exit 77; a cluster that isn't ours: exit 76; both at once")
  func strangers() throws {
    let server = try server()
    defer { server.stop() }
    let other = try CertificateAuthority.create(clusterID: "test")
    let begin = SystemSurroundings(.client(try file([])), state: nil).now
    let ours = try file([server.address], by: other)
    let refused = #expect(throws: ClientError.self) { try Client(ours).put(key, [1]) }
    #expect(refused?.exitCode == 77, "\(String(describing: refused))")
    let theirs = ClusterFile(
      cluster: "test", addresses: [server.address], authority: other.certificate.der,
      certificate: try file([]).certificate, privateKey: ours.privateKey)
    let (certificate, privateKey) = try issue(.client(cluster: "test", name: "ada", role: .writer), by: other)
    let foreign = ClusterFile(
      cluster: "test", addresses: theirs.addresses, authority: theirs.authority, certificate: certificate.der,
      privateKey: try privateKey.der())
    let stranger = #expect(throws: ClientError.self) { try Client(foreign).put(Key("k"), [1]) }
    #expect(stranger?.exitCode == 76, "\(String(describing: stranger))")
    let mismatch = #expect(throws: ClientError.self) { try Client(theirs).put(Key("k"), [1]) }
    #expect(mismatch?.exitCode == 78, "\(String(describing: mismatch))")
    #expect(SystemSurroundings(.client(foreign), state: nil).now - begin < 3000)
    #expect(server.counts.withLock { $0.requests } == 0)
  }

  @Test("where nobody listens: exit 69, with the address")
  func noNode() throws {
    let server = try server()
    server.stop()
    let error = #expect(throws: ClientError.self) {
      try Client(try file([server.address]), timeoutMilliseconds: 300).put(key, [1])
    }
    #expect(error?.exitCode == 69 && error?.description.contains(server.address) == true)
  }

  @Test("a node that never answers: a write is unknown within the time, a read unavailable")
  func silence() throws {
    let server = try server(1) { _ in nil }
    defer { server.stop() }
    let client = Client(try file([server.address]), timeoutMilliseconds: 700)
    let surroundings = client.surroundings
    let begin = surroundings.now
    let error = #expect(throws: ClientError.self) { try client.put(key, [1]) }
    #expect(error?.exitCode == 75)
    #expect(surroundings.now - begin <= 900)
    let read = #expect(throws: ClientError.self) { try client.get(key) }
    #expect(read?.exitCode == 69)
  }

  @Test("a pipelined writer over three nodes")
  func writer() throws {
    let servers = try (1...3 as ClosedRange<UInt32>).map { try server($0) }
    defer { servers.forEach { $0.stop() } }
    let map = Self.map(servers.map(\.address))
    let client = Client(try file(servers.map(\.address)))
    client.adopt(try #require(ClusterMap(untrusted: map, cluster: "test")))
    client.mapExpires = .max
    var versions: Set<Version> = []
    let writer = client.writer { _, outcome in if let version = try? outcome.get() { versions.insert(version) } }
    for number in 0..<3000 { writer.add(Key("k\(number)"), Array(repeating: 1, count: 300)) }
    writer.finish()
    #expect(versions.count == 3000)
    for server in servers { #expect(server.counts.withLock { $0.requests } > 500) }
  }

  private static func map(_ addresses: [String]) -> WireMapResponse {
    var map = FakeCluster().mapMessage
    for (place, address) in addresses.enumerated() { map.members[place].address = address }
    return map
  }

  @Test("a joiner sends its secret to the token's cluster alone, and takes only what the token promises")
  func enrolment() throws {
    let (certificate, _) = try issue(.node(cluster: "test", id: NodeID(rawValue: 9)))
    let ca = authority.certificate.der
    let node = Mutex(UInt32(9))
    let server = try server(1) { request in
      guard case .enrol = request.body else { return nil }
      var answer = WireEnrolResponse()
      answer.node = node.withLock { $0 }
      answer.cluster = "test"
      answer.certificate = Data(certificate.der)
      answer.authority = Data(ca)
      return .enrol(answer)
    }
    defer { server.stop() }
    let secret = [UInt8](repeating: 5, count: 32)
    func enrol(_ pin: [UInt8]) throws(ClientError) -> WireEnrolResponse {
      let token = JoinToken(cluster: "test", pin: pin, secret: secret, addresses: [server.address])
      return try Client.enrol(
        token: token.encode(), signingRequest: [1], address: "x:1", zone: "", format: 1, timeoutMilliseconds: 2000)
    }
    let wrong = #expect(throws: ClientError.self) { try enrol([UInt8](repeating: 1, count: 32)) }
    #expect(wrong?.exitCode == 76 && server.counts.withLock { $0.enrolments } == 0)
    let pin = try authority.certificate.sha256()
    #expect(try enrol(pin).node == 9)
    node.withLock { $0 = 8 }
    let lie = #expect(throws: ClientError.self) { try enrol(pin) }
    #expect(lie?.exitCode == 76)
    let malformed = #expect(throws: ClientError.self) {
      try Client.enrol(token: "kv1.x", signingRequest: [], address: "", zone: "", format: 1)
    }
    #expect(malformed?.exitCode == 65)
  }
}
