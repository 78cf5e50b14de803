import Bytes
import Glibc
import NIOCore
import TLS
import Testing
import Transport

@Suite("Connections")
struct ConnectionTests {
  let cluster: Cluster

  init() throws { cluster = try Cluster() }

  @Test("Frames go to the server and back")
  func echo() throws {
    let harness = try Harness(cluster: cluster)
    let client = try harness.connect()
    #expect(client.peer == cluster.node(1))
    for size in [0, 1, 300, 20_000, 1 << 20] {
      let payload = [UInt8](repeating: UInt8(truncatingIfNeeded: size), count: size)
      try client.sendFrame(9, payload)
      let reply = try client.receiveFrame()
      #expect(reply.kind == 9)
      #expect(reply.payload == payload)
    }
    let peers = try harness.onLoop { [listener = harness.listener] in listener.connections.map(\.peer) }
    #expect(peers == [cluster.user()])
    client.close()
    #expect(harness.counts.wait { $0.reasons == ["closed by the peer"] })
  }

  @Test("Sixty-four clients with many frames in flight each get their own replies in order")
  func many() throws {
    let harness = try Harness(cluster: cluster)
    let context = try cluster.client()
    let clients = try (0..<64).map { _ in try harness.connect(context) }
    for round in 0..<5 {
      for (number, client) in clients.enumerated() {
        let frames = (0..<20).flatMap { frame(UInt8($0), [UInt8(number), UInt8(round)]) }
        try client.send(frames, timeoutMilliseconds: 5000)
      }
      for (number, client) in clients.enumerated() {
        for kind in 0..<20 {
          let reply = try client.receiveFrame()
          #expect(reply.kind == UInt8(kind) && reply.payload == [UInt8(number), UInt8(round)])
        }
      }
    }
  }

  @Test("20 MB go there and back, in frames of odd sizes")
  func bulk() throws {
    let seed: UInt64 = 4
    var random = SplitMix64(seed: seed)
    let harness = try Harness(cluster: cluster)
    let client = try harness.connect()
    let pattern = randomBytes(3 << 20, &random)
    var total = 0
    while total < 20_000_000 {
      let size = Int.random(in: 0...(2 << 20), using: &random)
      let start = Int.random(in: 0...(1 << 20), using: &random)
      let payload = Array(pattern[start..<(start + size)])
      try client.sendFrame(1, payload)
      #expect(try client.receiveFrame().payload == payload, "seed \(seed)")
      total += size
    }
    #expect(client.bytesSent > 20_000_000)
  }

  @Test("The largest frame passes in both directions")
  func largest() throws {
    let harness = try Harness(cluster: cluster)
    let client = try harness.connect()
    let payload = [UInt8](repeating: 5, count: Limits.frameBytes.rawValue)
    try client.sendFrame(1, payload)
    #expect(try client.receiveFrame().payload.count == payload.count)
  }

  @Test("A client that sends more than it reads still gets everything: sending takes replies in")
  func bothSend() throws {
    let harness = try Harness(cluster: cluster)
    let client = try harness.connect()
    let one = frame(1, [UInt8](repeating: 3, count: 60_000))
    // More than the buffers of both kernels and both programs take before the server stops reading.
    let count = 200
    for _ in 0..<count { try client.send(one, timeoutMilliseconds: 10_000) }
    for _ in 0..<count { #expect(try client.receiveFrame().payload.count == 60_000) }
  }

  @Test("A session is resumed over the network")
  func resumes() throws {
    let harness = try Harness(cluster: cluster)
    let context = try cluster.client()
    let first = try harness.connect(context)
    try first.sendFrame(1, [])
    _ = try first.receiveFrame()
    let saved: [UInt8] = try #require(first.session)
    let second = try harness.connect(context, resume: saved)
    #expect(second.isResumed)
    try second.sendFrame(1, [1])
    #expect(try second.receiveFrame().payload == [1])
  }

  @Test("What was sent before close arrives, then the farewell")
  func closeDelivers() throws {
    let harness = try Harness(cluster: cluster) { _, _, connection in
      for _ in 0..<64 { connection.send(kind: 2, payload: [UInt8](repeating: 2, count: 65_536)) }
      connection.close()
      connection.send(kind: 3, payload: [])
    }
    let client = try harness.connect()
    try client.sendFrame(1, [])
    pause(milliseconds: 50)
    for _ in 0..<64 { #expect(try client.receiveFrame().kind == 2) }
    #expect(try client.receive(atMost: 1, timeoutMilliseconds: 5000).isEmpty)
    #expect(harness.counts.wait { $0.reasons == ["closed by this node"] })
  }

  @Test("A frame written in place is the same as one that was copied")
  func inPlace() throws {
    let harness = try Harness(cluster: cluster) { kind, payload, connection in
      connection.send(kind: kind) { $0.writeBytes(payload) }
      #expect(connection.outboundPending >= payload.count + FrameHeader.encodedBytes)
      connection.flush()
    }
    let client = try harness.connect()
    try client.sendFrame(6, [1, 2, 3])
    let reply = try client.receiveFrame()
    #expect(reply.kind == 6 && reply.payload == [1, 2, 3])
  }

  @Test("What is sent outside of a read leaves without a flush")
  func unprompted() throws {
    let harness = try Harness(cluster: cluster)
    let client = try harness.connect()
    #expect(harness.counts.wait { $0.connected == 1 })
    try harness.onLoop { [listener = harness.listener] in
      for connection in listener.connections { connection.send(kind: 8, payload: [8]) }
    }
    #expect(try client.receiveFrame().payload == [8])
  }

  @Test("A connection that breaks without a farewell is called so")
  func truncated() throws {
    let harness = try Harness(cluster: cluster)
    let socket = try RawSocket(port: harness.port)
    let session = try TLSSession(client: try cluster.client())
    try socket.shakeHands(session)
    #expect(harness.counts.wait { $0.connected == 1 })
    socket.shutDownSending()
    #expect(harness.counts.wait { $0.reasons == ["the connection broke without a farewell (close_notify)"] })
  }

  @Test("A peer that is gone with frames unread, while one of its frames is being answered, ends its connection alone")
  func goneWithinAnswer() throws {
    let harness = try Harness(cluster: cluster) { kind, payload, connection in
      guard kind == 1 else { return }
      pause(milliseconds: 500)
      // Enough to leave at once, and not so much that the channel would read no more.
      connection.send(kind: 1, payload: [UInt8](repeating: 1, count: Limits.outboundBatch.rawValue))
    }
    let socket = try RawSocket(port: harness.port)
    let session = try TLSSession(client: try cluster.client())
    try socket.shakeHands(session)
    try socket.write(frame(1, [UInt8](repeating: 1, count: 100)), session)
    #expect(harness.counts.wait { $0.frames == 1 })
    // These lie in the server's kernel, once it has acknowledged them, when the answer fails to be written.
    for _ in 0..<3 { try socket.write(frame(2, []), session) }
    pause(milliseconds: 200)
    socket.abort()
    #expect(harness.counts.wait { $0.reasons.count == 1 })
    #expect(harness.counts.now.frames == 1)
    let other = try harness.connect()
    try other.sendFrame(1, [])
    #expect(try other.receiveFrame().payload.count == Limits.outboundBatch.rawValue)
  }

  @Test("A client that has shut its sending side still gets the replies to what it sent")
  func halfClose() throws {
    let harness = try Harness(cluster: cluster)
    let socket = try RawSocket(port: harness.port)
    let session = try TLSSession(client: try cluster.client())
    try socket.shakeHands(session)
    try socket.write((0..<100).flatMap { frame($0, [UInt8](repeating: $0, count: 1000)) }, session)
    session.close()
    try socket.flush(session)
    socket.shutDownSending()
    let replies = try socket.readToEnd(session)
    #expect(replies.count == 100 * 1008)
    #expect(session.inputEnded() == nil)
  }

  @Test("A new certificate is shown to new connections; those that are open stay")
  func renewal() throws {
    let harness = try Harness(cluster: cluster)
    let old = try harness.connect()
    let renewed = try cluster.server(node: 2)
    try harness.onLoop { [listener = harness.listener] in listener.context = renewed }
    let new = try harness.connect()
    #expect(old.peer == cluster.node(1))
    #expect(new.peer == cluster.node(2))
    try old.sendFrame(1, [1])
    #expect(try old.receiveFrame().payload == [1])
  }

  @Test("The connections of one peer are closed and the others stay")
  func closesSome() throws {
    let harness = try Harness(cluster: cluster)
    let eve = try harness.connect(try cluster.client(as: cluster.user("eve")))
    let ada = try harness.connect()
    #expect(harness.counts.wait { $0.connected == 2 })
    let target = cluster.user("eve")
    try harness.onLoop { [listener = harness.listener] in listener.close { $0.peer == target } }
    #expect(try eve.receive(atMost: 1, timeoutMilliseconds: 5000).isEmpty)
    try ada.sendFrame(1, [1])
    #expect(try ada.receiveFrame().payload == [1])
  }

  @Test("A joiner is known as one, and may not send large frames")
  func joiner() throws {
    let harness = try Harness(cluster: cluster) { kind, payload, connection in
      #expect(connection.kind == .enrolment && connection.peer == nil)
      connection.send(kind: kind, payload: payload)
    }
    let context = try TLSContext.enrolClient(caPin: try cluster.ca.sha256(), cluster: cluster.id)
    let joiner = try harness.connect(context)
    try joiner.sendFrame(1, [1, 2])
    #expect(try joiner.receiveFrame().payload == [1, 2])
    try joiner.sendFrame(1, [UInt8](repeating: 0, count: Limits.enrolmentFrameBytes.rawValue + 1))
    #expect(throws: ConnectionError.self) { try joiner.receiveFrame() }
    #expect(harness.book.line { $0.level == .error && $0.text.contains("bad frame") } != nil)
  }
}
