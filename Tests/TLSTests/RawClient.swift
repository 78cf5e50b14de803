import COpenSSL
import TLS
import Testing

/// A client of libssl's own making, which breaks our rules where a test wants it to.
final class RawClient {
  private let context: OpaquePointer
  private let ssl: OpaquePointer
  private let io: UnsafeMutablePointer<kv_lent_io>
  /// The description of the alert that came, 0 if none.
  private(set) var alert: Int32 = 0
  private(set) var isEstablished = false

  init(alpn: String?, version: Int32 = TLS1_3_VERSION) throws {
    context = try #require(SSL_CTX_new(TLS_client_method()))
    #expect(kv_ssl_ctx_set_version(context, version) == 1)
    ssl = try #require(SSL_new(context))
    let bio = try #require(kv_lent_bio_new())
    io = try #require(kv_lent_bio_io(bio))
    SSL_set_bio(ssl, bio, bio)
    if let alpn {
      let list = [UInt8(alpn.utf8.count)] + Array(alpn.utf8)
      #expect(SSL_set_alpn_protos(ssl, list, UInt32(list.count)) == 0)
    }
    SSL_set_connect_state(ssl)
  }

  deinit {
    SSL_free(ssl)
    SSL_CTX_free(context)
  }

  /// Whether the server has given a ticket with which the session could be resumed.
  var hasTicket: Bool { SSL_SESSION_is_resumable(SSL_get_session(ssl)) == 1 }

  /// Asks the server to change its key, and changes this side's own.
  func updateKeys() { #expect(SSL_key_update(ssl, SSL_KEY_UPDATE_REQUESTED) == 1) }

  func write(_ bytes: [UInt8]) {
    ERR_clear_error()
    #expect(SSL_write(ssl, bytes, Int32(bytes.count)) == Int32(bytes.count))
  }

  /// Goes on with the handshake, or reads.
  func advance(_ input: [UInt8] = []) {
    input.withUnsafeBufferPointer { buffer in
      io.pointee.input = buffer.baseAddress
      io.pointee.input_count = buffer.count
      ERR_clear_error()
      var byte = [UInt8](repeating: 0, count: 64)
      if !isEstablished { isEstablished = SSL_do_handshake(ssl) == 1 }
      if isEstablished { while SSL_read(ssl, &byte, 64) > 0 {} }
      let reason = ERR_GET_REASON(ERR_peek_last_error())
      if reason >= SSL_AD_REASON_OFFSET { alert = reason - SSL_AD_REASON_OFFSET }
      io.pointee.input = nil
      io.pointee.input_count = 0
    }
  }

  func output() -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: io.pointee.spill_count)
    let count = kv_lent_spill_take(io, &bytes, bytes.count)
    #expect(count == bytes.count)
    return bytes
  }

  /// Carries bytes to and fro until both rest.
  func run(against server: Endpoint) {
    advance()
    for _ in 0..<20 {
      let there = output()
      if !there.isEmpty { server.feed(there) }
      let back = server.output()
      if !back.isEmpty { advance(back) }
      if there.isEmpty && back.isEmpty { return }
    }
  }
}

@Suite("Clients that break the rules")
struct RawClientTests {
  let cluster: Cluster
  let server: Endpoint

  init() throws {
    cluster = try Cluster()
    server = Endpoint(try TLSSession(server: try cluster.server()))
  }

  @Test("A client without a certificate is refused and told so")
  func noCertificate() throws {
    let client = try RawClient(alpn: "kv/1")
    client.run(against: server)
    #expect(server.error == .noCertificate(.peer))
    #expect(client.alert == SSL_AD_CERTIFICATE_REQUIRED)
  }

  @Test("A client of TLS 1.2 is refused and told so")
  func oldVersion() throws {
    let client = try RawClient(alpn: "kv/1", version: TLS1_2_VERSION)
    client.run(against: server)
    #expect(server.error == .protocolVersion)
    #expect(client.alert == SSL_AD_PROTOCOL_VERSION)
    #expect(!client.isEstablished)
  }

  @Test("A client that offers no protocol is refused and told so")
  func noALPN() throws {
    let client = try RawClient(alpn: nil)
    client.run(against: server)
    #expect(server.error == .alpn)
    #expect(client.alert == SSL_AD_NO_APPLICATION_PROTOCOL)
    #expect(!client.isEstablished)
  }

  @Test("A client that offers other protocols only is refused and told so", arguments: ["h2", "kv/2", "kv/", "kv/11"])
  func otherALPN(name: String) throws {
    let client = try RawClient(alpn: name)
    client.run(against: server)
    #expect(server.error == .alpn)
    #expect(client.alert == SSL_AD_NO_APPLICATION_PROTOCOL)
  }

  @Test("A joiner gets no ticket with which it could come back as a member")
  func noTicket() throws {
    let client = try RawClient(alpn: "kv-join/1")
    client.run(against: server)
    client.advance(try server.write([1]))
    #expect(client.isEstablished)
    #expect(!client.hasTicket)
  }

  @Test("A joiner that asks for new keys gets them, and what it sends is read")
  func keyUpdate() throws {
    let client = try RawClient(alpn: "kv-join/1")
    client.run(against: server)
    #expect(client.isEstablished)
    for round in 1...100 {
      client.updateKeys()
      client.write([UInt8(round)])
      server.feed(client.output())
      client.advance(try server.write([0]))
      #expect(client.alert == 0)
    }
    #expect(server.received == (1...100).map { UInt8($0) })
    #expect(server.error == nil)
  }
}
