import Bytes
import NIOCore
import NIOPosix
import Synchronization
import TLS
import Testing
import Transport

@Suite("Connections between nodes")
struct DialerTests {
  let cluster: Cluster

  init() throws { cluster = try Cluster() }

  /// What came of a dial.
  final class Result: Sendable {
    let failures = Mutex<[TransportError]>([])
    let replies = Mutex<[[UInt8]]>([])
    let sessions = Mutex<[[UInt8]]>([])
    let resumed = Mutex<[Bool]>([])

    func waitForFailure() -> TransportError? {
      for _ in 0..<1000 {
        if let first = failures.withLock({ $0.first }) { return first }
        pause(milliseconds: 5)
      }
      return nil
    }
  }

  /// Dials, sends one frame and closes when it has come back.
  private func dial(
    _ harness: Harness, host: String = "127.0.0.1", port: Int? = nil, _ context: TLSContext, expected: NodeID?,
    resuming: [UInt8]? = nil,
    _ tally: Tally, _ result: Result
  ) throws {
    let (loop, target, logger) = (harness.loop, port ?? harness.port, harness.book.logger)
    try harness.onLoop {
      let receiver = Script(tally) { connection in
        result.resumed.withLock { $0.append(connection.isResumed) }
        connection.send(kind: 1, payload: [42])
      } onFrame: { _, payload, connection in
        result.replies.withLock { $0.append(payload) }
        if let session = connection.resumption { result.sessions.withLock { $0.append(session) } }
        connection.close()
      }
      Dialer.connect(
        host: host, port: target, context: context, expected: expected, resuming: resuming, on: loop,
        receiver: receiver, logger: logger
      ) { error in result.failures.withLock { $0.append(error) } }
    }
  }

  @Test("A node reaches another on the same loop, and resumes its session the next time")
  func reaches() throws {
    let harness = try Harness(cluster: cluster)
    let context = try cluster.client(as: cluster.node(2))
    let (tally, result) = (Tally(), Result())
    try dial(harness, context, expected: NodeID(rawValue: 1), tally, result)
    #expect(tally.wait { $0.reasons.count == 1 })
    let session = try #require(result.sessions.withLock { $0.first })
    try dial(harness, context, expected: NodeID(rawValue: 1), resuming: session, tally, result)
    #expect(tally.wait { $0.reasons.count == 2 })
    #expect(tally.now.reasons == ["closed by this node", "closed by this node"])
    #expect(result.replies.withLock { $0 } == [[42], [42]])
    #expect(result.resumed.withLock { $0 } == [false, true])
    #expect(result.failures.withLock { $0.isEmpty })
    #expect(harness.counts.wait { $0.reasons == ["closed by the peer", "closed by the peer"] })
  }

  @Test("A host with several addresses is reached once")
  func name() throws {
    let harness = try Harness(cluster: cluster)
    let (tally, result) = (Tally(), Result())
    try dial(harness, host: "localhost", try cluster.client(as: cluster.node(2)), expected: nil, tally, result)
    #expect(tally.wait { $0.reasons.count == 1 })
    #expect(tally.now.connected == 1)
    #expect(result.failures.withLock { $0.isEmpty })
  }

  @Test("A dial that fails says why, once, and its receiver hears nothing")
  func fails() throws {
    let harness = try Harness(cluster: cluster)
    let member = try cluster.client(as: cluster.node(2))
    let foreign = try Cluster("beta")
    let closedPort = try unusedPort()
    let cases: [(TLSContext, NodeID?, Int?, (TransportError) -> Bool)] = [
      (member, NodeID(rawValue: 9), nil, { if case .tls(.wrongNode) = $0 { true } else { false } }),
      (
        try foreign.client(as: foreign.node(2)), nil, nil,
        { $0 == .tls(.wrongCluster(expected: "beta", found: "alpha")) }
      ),
      (member, nil, closedPort, { if case .connect = $0 { true } else { false } }),
    ]
    for (context, expected, port, fits) in cases {
      let (tally, result) = (Tally(), Result())
      try dial(harness, port: port, context, expected: expected, tally, result)
      let failure = try #require(result.waitForFailure())
      #expect(fits(failure), "\(failure)")
      pause(milliseconds: 50)
      #expect(result.failures.withLock { $0.count } == 1)
      #expect(tally.now.connected == 0 && tally.now.reasons.isEmpty)
    }
  }

  @Test("A node that was refused by the other is told at once that it is over, and why")
  func refused() throws {
    let harness = try Harness(cluster: cluster, context: try cluster.server(revoked: { _, _ in true }))
    let (tally, result) = (Tally(), Result())
    try dial(harness, try cluster.client(as: cluster.node(2)), expected: nil, tally, result)
    // In TLS 1.3 the client's handshake is done before the server has looked at its certificate.
    #expect(tally.wait { $0.connected == 1 && $0.reasons.count == 1 })
    #expect(tally.now.reasons.first?.contains("revoked") == true)
  }

  @Test("A listener on a port that is taken says so")
  func taken() throws {
    let harness = try Harness(cluster: cluster)
    let (loop, port, logger, context) = (harness.loop, harness.port, harness.book.logger, try cluster.server())
    #expect {
      _ = try loop.flatSubmit {
        Listener.bind(host: "127.0.0.1", port: port, context: context, loop: loop, logger: logger) { _ in
          Script(Tally()) { _, _, _ in }
        }
      }.wait()
    } throws: { error in
      if case .bind(let address, _) = error as? TransportError { address == "127.0.0.1:\(port)" } else { false }
    }
  }

  private func unusedPort() throws -> Int {
    let harness = try Harness(cluster: cluster)
    let port = harness.port
    try harness.loop.flatSubmit { [listener = harness.listener] in listener.stopAccepting() }.wait()
    return port
  }
}

@Suite("Blocking connections")
struct BlockingTests {
  @Test("A port on which nobody listens refuses; nothing was sent")
  func refused() throws {
    let cluster = try Cluster()
    let harness = try Harness(cluster: cluster)
    try harness.loop.flatSubmit { [listener = harness.listener] in listener.stopAccepting() }.wait()
    let error = #expect(throws: ConnectionError.self) { try harness.connect() }
    #expect(error == .refused(address: "127.0.0.1:\(harness.port)"))
    #expect(error?.certainlyNotReceived == true)
  }

  @Test("Names are resolved, and one that has no address is called so")
  func names() throws {
    let cluster = try Cluster()
    let harness = try Harness(cluster: cluster)
    let client = try BlockingConnection(
      host: "localhost", port: harness.port, context: try cluster.client(), timeoutMilliseconds: 5000)
    #expect(client.peer == cluster.node(1))
    let error = #expect(throws: ConnectionError.self) {
      try BlockingConnection(host: "no such host", port: 1, context: try cluster.client(), timeoutMilliseconds: 1000)
    }
    guard case .unresolved("no such host", _)? = error else {
      Issue.record("\(String(describing: error))")
      return
    }
  }

  @Test("An address of IPv6 is taken with brackets and without")
  func version6() throws {
    let cluster = try Cluster()
    let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
    let (loop, context, logger) = (group.next(), try cluster.server(), LogBook().logger)
    let bound = try? loop.flatSubmit {
      Listener.bind(host: "::1", port: 0, context: context, loop: loop, logger: logger) { _ in
        Script(Tally()) { _, _, _ in }
      }
    }.wait()
    // A host without IPv6 has nothing to test.
    if let bound {
      let port = try loop.submit { bound.port }.wait()
      for host in ["::1", "[::1]"] {
        let client = try BlockingConnection(
          host: host, port: port, context: try cluster.client(), timeoutMilliseconds: 5000)
        #expect(client.peer == cluster.node(1))
      }
      let stopped = try loop.submit { bound.stopAccepting() }.wait()
      try stopped.wait()
      let error = #expect(throws: ConnectionError.self) {
        try BlockingConnection(host: "::1", port: port, context: try cluster.client(), timeoutMilliseconds: 5000)
      }
      #expect(error == .refused(address: "[::1]:\(port)"))
    }
    try group.syncShutdownGracefully()
  }

  @Test("A server that says nothing runs into the time given, in the handshake and after it")
  func silence() throws {
    let cluster = try Cluster()
    let deaf = try DeafListener()
    let error = #expect(throws: ConnectionError.self) {
      try BlockingConnection(
        host: "127.0.0.1", port: deaf.port, context: try cluster.client(), timeoutMilliseconds: 100)
    }
    #expect(error == .timeout(.handshake, milliseconds: 100, sent: 0))
    let mute = try Harness(cluster: cluster) { _, _, _ in }
    let client = try mute.connect()
    #expect(try !client.isReadable(withinMilliseconds: 20))
    try client.sendFrame(1, [])
    #expect(throws: ConnectionError.timeout(.receive, milliseconds: 50, sent: 8)) {
      try client.receive(exactly: 1, timeoutMilliseconds: 50)
    }
  }

  @Test("A server that goes away after a request leaves its outcome unknown")
  func unknown() throws {
    let cluster = try Cluster()
    let harness = try Harness(cluster: cluster) { _, _, connection in connection.close() }
    let client = try harness.connect()
    try client.sendFrame(1, [1])
    let error = #expect(throws: ConnectionError.self) {
      try client.receive(exactly: 1, timeoutMilliseconds: 5000)
    }
    #expect(error?.certainlyNotReceived == false)
    #expect(try client.isReadable(withinMilliseconds: 0))
    #expect(throws: ConnectionError.self) {
      for _ in 0..<1000 { try client.send([UInt8](repeating: 0, count: 100_000), timeoutMilliseconds: 1000) }
    }
  }

  @Test("A plain-text server is called so")
  func plainText() throws {
    let cluster = try Cluster()
    let deaf = try DeafListener(greeting: Array("SSH-2.0-OpenSSH_9.2p1 Debian\r\n".utf8))
    #expect(throws: ConnectionError.tls(.notTLS(found: "SSH-2.0-OpenSSH_"))) {
      try BlockingConnection(
        host: "127.0.0.1", port: deaf.port, context: try cluster.client(), timeoutMilliseconds: 5000)
    }
  }

  @Test("Replies are seen as readable, and a closed connection does nothing more")
  func readable() throws {
    let cluster = try Cluster()
    let harness = try Harness(cluster: cluster)
    let client = try harness.connect()
    try client.sendFrame(1, [1])
    try client.sendFrame(2, [2])
    #expect(try client.isReadable(withinMilliseconds: 5000))
    #expect(try client.receiveFrame().payload == [1])
    #expect(try client.receiveFrame().payload == [2])
    client.close()
    #expect(throws: ConnectionError.self) { try client.send([1], timeoutMilliseconds: 100) }
    #expect(throws: ConnectionError.self) { try client.receive(atMost: 1, timeoutMilliseconds: 100) }
  }
}
