import Bytes
import Synchronization
import TLS
import Testing

/// A clock that a test sets.
final class TestClock: Sendable {
  private let seconds: Mutex<Int64>
  init(_ start: Int64) { seconds = Mutex(start) }
  func advance(_ count: Int64) { seconds.withLock { $0 += count } }
  var read: TLSContext.WallClock { { self.seconds.withLock { $0 } } }
}

/// A switch that a test throws.
final class Flag: Sendable {
  private let value = Mutex(false)
  var isSet: Bool {
    get { value.withLock { $0 } }
    set { value.withLock { $0 = newValue } }
  }
}

@Suite("Resumption")
struct ResumptionTests {
  let cluster: Cluster
  let clock = TestClock(Validity.now())

  init() throws { cluster = try Cluster() }

  /// What resumes a session between two contexts.
  private func session(_ client: TLSContext, _ server: TLSContext) throws -> [UInt8] {
    let pair = try Pair(client: client, server: server)
    pair.run()
    try pair.echo()
    #expect(!pair.client.session.isResumed)
    return try #require(pair.client.session.resumption)
  }

  @Test("A session is resumed, several times, and both sides still know each other")
  func resumes() throws {
    let (client, server) = (try cluster.client(), try cluster.server())
    var saved = try session(client, server)
    for _ in 0..<3 {
      let pair = try Pair(client: client, server: server, expected: NodeID(rawValue: 1), resuming: saved)
      pair.run()
      #expect(pair.isEstablished)
      #expect(pair.client.session.isResumed && pair.server.session.isResumed)
      #expect(pair.server.session.peer == cluster.user())
      #expect(pair.client.session.peer == cluster.node(1))
      try pair.echo()
      saved = try #require(pair.client.session.resumption)
    }
  }

  @Test("A client that has expired meanwhile is refused although its session could be resumed")
  func expiredClient() throws {
    let server = try cluster.server(validity: .days(30), clock: clock.read)
    // The client's own clock stands still, so that it offers the session.
    let client = try cluster.client(validity: .days(1))
    let saved = try session(client, server)
    clock.advance(2 * 86_400)
    let pair = try Pair(client: client, server: server, resuming: saved)
    pair.run()
    #expect(pair.server.error == .expired(.peer))
    #expect(pair.client.error == .expired(.own))
  }

  @Test("A client that was revoked meanwhile is refused although its session could be resumed")
  func revokedClient() throws {
    let flag = Flag()
    let server = try cluster.server(revoked: { _, _ in flag.isSet })
    let client = try cluster.client()
    let saved = try session(client, server)
    flag.isSet = true
    let pair = try Pair(client: client, server: server, resuming: saved)
    pair.run()
    #expect(pair.server.error == .revoked(.peer))
    #expect(pair.client.error == .revoked(.own))
    #expect(!pair.server.session.isEstablished)
  }

  @Test("A server that has expired or was revoked meanwhile is refused although the session could be resumed")
  func badServer() throws {
    let flag = Flag()
    let server = try cluster.server(validity: .days(1))
    let client = try cluster.client(validity: .days(30), revoked: { _, _ in flag.isSet }, clock: clock.read)
    let saved = try session(client, server)
    flag.isSet = true
    let revoked = try Pair(client: client, server: server, resuming: saved)
    revoked.run()
    #expect(revoked.client.error == .revoked(.peer))
    flag.isSet = false
    clock.advance(2 * 86_400)
    let expired = try Pair(client: client, server: server, resuming: saved)
    expired.run()
    #expect(expired.client.error == .expired(.peer))
  }

  @Test("A session with one node does not pass for another")
  func otherNode() throws {
    let (client, server) = (try cluster.client(), try cluster.server())
    let saved = try session(client, server)
    let pair = try Pair(client: client, server: server, expected: NodeID(rawValue: 2), resuming: saved)
    pair.run()
    #expect(pair.client.error == .wrongNode(expected: NodeID(rawValue: 2), found: cluster.node(1).description))
  }

  @Test("A session of another server, or of one that has renewed itself, leads to a full handshake")
  func renewed() throws {
    let client = try cluster.client()
    let saved = try session(client, try cluster.server())
    let pair = try Pair(client: client, server: try cluster.server(), resuming: saved)
    pair.run()
    #expect(pair.isEstablished)
    #expect(!pair.client.session.isResumed)
    try pair.echo()
  }

  @Test("A saved session that was damaged in any way leads to a full handshake or a clean error")
  func damaged() throws {
    let seed: UInt64 = 5
    var random = SplitMix64(seed: seed)
    let (client, server) = (try cluster.client(), try cluster.server())
    let saved = try session(client, server)
    for round in 0..<120 {
      var bytes = saved
      switch round % 3 {
      case 0: bytes[Int.random(in: 0..<bytes.count, using: &random)] ^= UInt8.random(in: 1 ... .max, using: &random)
      case 1: bytes.removeLast(Int.random(in: 1...bytes.count, using: &random))
      default: bytes += [0]
      }
      let pair = try Pair(client: client, server: server, resuming: bytes)
      pair.run()
      #expect(
        pair.isEstablished || pair.client.error != nil || pair.server.error != nil, "seed \(seed), round \(round)")
      if round % 3 == 2 { #expect(pair.isEstablished && !pair.client.session.isResumed) }
    }
  }

  @Test("A joiner's own side keeps no session either")
  func joiner() throws {
    let server = try cluster.server()
    let pin = try cluster.authority.certificate.sha256()
    let pair = try Pair(client: try .enrolClient(caPin: pin), server: server)
    pair.run()
    try pair.echo()
    #expect(pair.client.session.resumption == nil)
  }
}
