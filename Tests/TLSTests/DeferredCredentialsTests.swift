import Bytes
import Synchronization
import TLS
import Testing

@Suite("Deferred credentials")
struct DeferredCredentialsTests {
  let cluster: Cluster

  init() throws { cluster = try Cluster() }

  /// How often a client's credentials were read.
  private final class Readings: Sendable {
    private let number = Mutex(0)
    var count: Int { number.withLock { $0 } }
    func note() { number.withLock { $0 += 1 } }
  }

  private func credentials(_ authority: Certificate? = nil) throws -> ClientCredentials {
    let (certificate, key) = try cluster.issue(cluster.user())
    return ClientCredentials(certificate: certificate, key: key, ca: authority ?? cluster.authority.certificate)
  }

  @Test("They are read once, by the first full handshake, and both sides know each other")
  func readOnce() throws {
    let (readings, credentials) = (Readings(), try credentials())
    let client = try cluster.deferredClient {
      readings.note()
      return credentials
    }
    #expect(readings.count == 0)
    for _ in 0..<2 {
      let pair = try Pair(client: client, server: try cluster.server(), expected: NodeID(rawValue: 1))
      pair.run()
      #expect(pair.isEstablished)
      #expect(pair.server.session.peer == cluster.user() && pair.client.session.peer == cluster.node(1))
      try pair.echo()
    }
    #expect(readings.count == 1)
  }

  @Test("A resumed session reads none of them; where the server forgot it, they are read after all")
  func resumed() throws {
    let (server, readings, credentials) = (try cluster.server(), Readings(), try credentials())
    func client() throws -> TLSContext {
      try cluster.deferredClient {
        readings.note()
        return credentials
      }
    }
    let first = try Pair(client: try client(), server: server)
    first.run()
    try first.echo()
    let saved = try #require(first.client.session.resumption)
    #expect(readings.count == 1)

    let second = try Pair(client: try client(), server: server, resuming: saved)
    second.run()
    #expect(second.client.session.isResumed && second.server.session.peer == cluster.user())
    try second.echo()
    #expect(readings.count == 1)

    let third = try Pair(client: try client(), server: try cluster.server(), resuming: saved)
    third.run()
    #expect(third.isEstablished && !third.client.session.isResumed)
    #expect(readings.count == 2)
  }

  @Test("What is wrong with them is the handshake's error, on the side that has them")
  func wrong() throws {
    let unreadable = try cluster.deferredClient { () throws(TLSError) in throw .malformed("a certificate") }
    let pair = try Pair(client: unreadable, server: try cluster.server())
    pair.run()
    #expect(pair.client.error == .malformed("a certificate") && !pair.server.session.isEstablished)

    let (certificate, _) = try cluster.issue(cluster.user())
    let foreign = ClientCredentials(
      certificate: certificate, key: try PrivateKey.generate(), ca: cluster.authority.certificate)
    let mismatched = try Pair(client: try cluster.deferredClient { foreign }, server: try cluster.server())
    mismatched.run()
    #expect(mismatched.client.error == .invalid("a certificate with a key that is not its own"))
  }

  @Test("A server of another CA is not believed")
  func otherAuthority() throws {
    let other = try credentials(try Cluster("beta").authority.certificate)
    let pair = try Pair(client: try cluster.deferredClient { other }, server: try cluster.server())
    pair.run()
    #expect(pair.client.error == .unknownCA(.peer) && !pair.isEstablished)
  }
}
