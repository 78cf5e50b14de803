import Bytes
import Glibc
import NIOCore
import TLS
import Testing
import Transport

@Suite("Peers that are refused")
struct RefusalTests {
  let cluster: Cluster

  init() throws { cluster = try Cluster() }

  /// A frame goes through and comes back: the listener is well.
  private func proveAlive(_ harness: Harness) throws {
    let client = try harness.connect()
    try client.sendFrame(1, [1])
    #expect(try client.receiveFrame().payload == [1])
    client.close()
  }

  @Test("Connections beyond the limit, also of peers that say nothing, are closed as they come; it is told seldom")
  func limit() throws {
    let harness = try Harness(cluster: cluster, limit: 3)
    let first = try harness.connect()
    try first.sendFrame(1, [7])
    #expect(try first.receiveFrame().payload == [7])
    let silent = try (0..<2).map { _ in try RawSocket(port: harness.port) }
    for _ in 0..<20 { #expect(try RawSocket(port: harness.port).receive().isEmpty) }
    #expect((1...3).contains(harness.book.all.count { $0.text.contains("as many as may be") }))
    try first.sendFrame(1, [8])
    #expect(try first.receiveFrame().payload == [8])
    for socket in silent { socket.close() }
    pause(milliseconds: 100)
    try proveAlive(harness)
  }

  @Test("A client whose certificate is refused learns why, though it has sent a megabyte at once")
  func alertSurvives() throws {
    let eve = cluster.user("eve")
    let harness = try Harness(
      cluster: cluster, context: try cluster.server(revoked: { _, identity in identity == eve }))
    let past = Validity(notBefore: 1_000_000, notAfter: 2_000_000)
    let contexts: [(TLSContext, TLSError)] = [
      (try cluster.client(as: eve), .revoked(.own)),
      (try cluster.client(validity: past), .expired(.own)),
    ]
    for (context, expected) in contexts {
      for _ in 0..<5 {
        let client = try harness.connect(context)
        var found: ConnectionError?
        do throws(ConnectionError) {
          try client.send([UInt8](repeating: 1, count: 1 << 20), timeoutMilliseconds: 5000)
          _ = try client.receive(exactly: 1, timeoutMilliseconds: 5000)
        } catch {
          found = error
        }
        #expect(found == .tls(expected))
        #expect(found?.certainlyNotReceived == true)
      }
    }
    #expect(harness.book.line { $0.level == .notice && $0.text.contains("revoked") } != nil)
    #expect(harness.book.line { $0.level == .notice && $0.text.contains("expired") } != nil)
    #expect(harness.counts.now.connected == 0)
    try proveAlive(harness)
  }

  @Test("A port scan's garbage is closed quietly and does not disturb the others")
  func garbage() throws {
    let seed: UInt64 = 23
    var random = SplitMix64(seed: seed)
    let harness = try Harness(cluster: cluster)
    let client = try harness.connect()
    let greetings: [[UInt8]] = [
      Array("GET / HTTP/1.0\r\n\r\n".utf8), Array("\r\n\r\n".utf8), [0], [0x80, 0x2e, 1, 3, 1], Array("SSH-2.0-x".utf8),
    ]
    for round in 0..<60 {
      let socket = try RawSocket(port: harness.port)
      if round % 6 < 5 { socket.send(greetings[round % 6]) } else { socket.send(randomBytes(3000, &random)) }
      if round % 2 == 0 { socket.close() } else { _ = socket.receive() }
      try client.sendFrame(1, [UInt8(round)])
      #expect(try client.receiveFrame().payload == [UInt8(round)])
    }
    let silent = try (0..<20).map { _ in try RawSocket(port: harness.port) }
    try proveAlive(harness)
    for socket in silent { socket.close() }
    #expect(harness.book.line { $0.text.contains("does not speak TLS") } != nil)
    let loud = harness.book.all.filter { $0.level > .debug }
    #expect(loud.isEmpty, "\(loud.map(\.text)), seed \(seed)")
  }

  @Test("Garbage after a good beginning ends that connection alone")
  func halfGood() throws {
    let seed: UInt64 = 29
    var random = SplitMix64(seed: seed)
    let harness = try Harness(cluster: cluster)
    let other = try harness.connect()
    for length in [1, 5, 6, 50, 150] {
      let session = try TLSSession(client: try cluster.client())
      _ = try session.handshake()
      var hello = [UInt8](repeating: 0, count: session.pendingOutput)
      _ = hello.withUnsafeMutableBytes { session.takeOutput(into: $0) }
      let socket = try RawSocket(port: harness.port)
      socket.send(Array(hello.prefix(length)) + randomBytes(1000, &random))
      while !socket.receive().isEmpty {}
      try other.sendFrame(1, [UInt8(length)])
      #expect(try other.receiveFrame().payload == [UInt8(length)], "seed \(seed)")
    }
  }

  @Test(
    "A frame that is malformed, oversized or of another version ends its connection with an error in the log",
    arguments: [
      [0, 0, 0, 0, 1, 2, 0, 0], [0, 0, 0, 0, 1, 1, 1, 0], [1, 0, 0, 1, 1, 1, 0, 0],
      [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
    ] as [[UInt8]])
  func badFrame(header: [UInt8]) throws {
    let harness = try Harness(cluster: cluster)
    let other = try harness.connect()
    let client = try harness.connect()
    try client.send(frame(1, [7]) + header + frame(1, [8]), timeoutMilliseconds: 5000)
    #expect(try client.receiveFrame().payload == [7])
    #expect(try client.receive(atMost: 1, timeoutMilliseconds: 5000).isEmpty)
    let line = harness.book.line { $0.level == .error && $0.text.contains("bad frame") }
    #expect(line?.text.contains("ada") == true)
    #expect(harness.counts.now.frames == 1)
    try other.sendFrame(1, [9])
    #expect(try other.receiveFrame().payload == [9])
  }

  @Test("openssl s_client is refused without a certificate, with another CA's, and with TLS 1.2")
  func sClient() throws {
    let harness = try Harness(cluster: cluster)
    let files = try Files()
    let (own, ownKey) = try cluster.issue(cluster.user())
    let (foreign, foreignKey) = try Cluster("beta").issue(.client(cluster: "beta", name: "eve", role: .admin))
    let good = try files.flags(own, ownKey, "own")
    let bad = try files.flags(foreign, foreignKey, "foreign")
    let refusals = [
      ("-alpn kv/1", "certificate required", "sent no certificate"),
      ("-alpn kv/1 \(bad)", "unknown ca", "is of cluster beta"),
      ("-alpn kv/1 -tls1_2 \(good)", "protocol version", "TLS 1.3"),
      (good, "no application protocol", "not the protocol of kv"),
      ("-alpn h2 \(good)", "no application protocol", "not the protocol of kv"),
    ]
    for (flags, alert, logged) in refusals {
      // It stays until the server ends the connection.
      let output = try sClient("-ign_eof " + flags, harness.port, input: "printf hello")
      #expect(output.contains(alert), "\(flags): \(output)")
      #expect(harness.book.line { $0.level == .notice && $0.text.contains(logged) } != nil, "\(flags)")
    }
    #expect(harness.counts.now.connected == 0)
    // The same command with the right certificate gets in: what was refused above was refused for its reason.
    let output = try sClient(
      "-alpn kv/1 \(good)", harness.port, input: #"printf '\000\000\000\000\001\001\000\000'; sleep 0.5"#)
    #expect(output.contains("ALPN protocol: kv/1"), "\(output)")
    #expect(harness.counts.wait { $0.connected == 1 && $0.frames == 1 })
  }

  private func sClient(_ flags: String, _ port: Int, input: String) throws -> String {
    let command = "(\(input)) | timeout 20 openssl s_client -connect 127.0.0.1:\(port) \(flags) 2>&1"
    let pipe = try #require(popen(command, "r"))
    defer { pclose(pipe) }
    var output: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 4096)
    while true {
      let count = fread(&buffer, 1, buffer.count, pipe)
      if count == 0 { break }
      output += buffer[..<count]
    }
    return String(decoding: output, as: UTF8.self)
  }
}

/// Certificates and keys in a temporary directory.
final class Files {
  private let directory: String
  private var paths: [String] = []

  init() throws {
    var template = Array("\(P_tmpdir)/kv-transport-XXXXXX".utf8CString)
    let made = try #require(mkdtemp(&template))
    directory = String(cString: made)
  }

  deinit {
    for path in paths { unlink(path) }
    rmdir(directory)
  }

  /// The flags that make `openssl s_client` use a certificate and key.
  func flags(_ certificate: Certificate, _ key: PrivateKey, _ name: String) throws -> String {
    let certificatePath = try write("\(name).crt", certificate.der)
    let keyPath = try write("\(name).key", key.der())
    return "-cert \(certificatePath) -certform DER -key \(keyPath) -keyform DER"
  }

  private func write(_ name: String, _ bytes: [UInt8]) throws -> String {
    let path = "\(directory)/\(name)"
    let file = try #require(fopen(path, "w"))
    #expect(fwrite(bytes, 1, bytes.count, file) == bytes.count)
    fclose(file)
    paths.append(path)
    return path
  }
}
