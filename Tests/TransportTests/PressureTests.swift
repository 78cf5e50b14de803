import Bytes
import NIOCore
import NIOEmbedded
import TLS
import Testing

@testable import Transport

@Suite("Slow peers")
struct PressureTests {
  let cluster: Cluster

  init() throws { cluster = try Cluster() }

  @Test("While a client does not take its replies, the server reads no more of its requests; then all arrive")
  func backPressure() throws {
    let harness = try Harness(cluster: cluster) { _, _, connection in
      connection.send(kind: 1, payload: [UInt8](repeating: 1, count: 100_000))
    }
    let socket = try RawSocket(port: harness.port)
    let session = try TLSSession(client: try cluster.client())
    try socket.shakeHands(session)
    // Requests worth 300 MB of replies; large enough themselves that the kernel can't hold those not read.
    let requests = 3_000
    let sender = Sender(socket, session)
    for _ in 0..<requests { try sender.encrypt(frame(1, [UInt8](repeating: 0, count: 4_000))) }
    let fellSilent = sender.sendUntilSilent()
    #expect(!fellSilent)
    let served = harness.counts.now.frames
    #expect(served > 0 && served < requests / 2)
    let pending = try harness.onLoop { [listener = harness.listener] in
      listener.connections.map(\.outboundPending).reduce(0, +)
    }
    #expect(pending > Limits.outboundHighWater.rawValue)
    #expect(pending < Limits.outboundBytes.rawValue / 2)
    // Another client is served meanwhile.
    let other = try harness.connect()
    try other.sendFrame(1, [])
    _ = try other.receiveFrame()
    let replies = try sender.finish()
    #expect(replies == requests * (100_000 + FrameHeader.encodedBytes))
    #expect(harness.counts.now.drained > 0)
  }

  @Test("A peer for which more waits than the bound is cut off, with a warning")
  func hardBound() throws {
    let harness = try Harness(cluster: cluster) { _, _, connection in
      for _ in 0..<100 { connection.send(kind: 1, payload: [UInt8](repeating: 1, count: 1 << 20)) }
    }
    let socket = try RawSocket(port: harness.port)
    let session = try TLSSession(client: try cluster.client())
    try socket.shakeHands(session)
    try socket.write(frame(1, []), session)
    #expect(harness.counts.wait { $0.reasons.contains { $0.contains("does not take its output") } })
    #expect(harness.book.line { $0.level == .warning } != nil)
  }

  /// A server's side on a loop whose time the test moves.
  private func embedded() throws -> (EmbeddedChannel, TLSHandler, Tally, Outcome) {
    let counts = Tally()
    let outcome = Outcome()
    let owner = TLSHandler.Owner(
      accept: { _ in Script(counts) { _, _, _ in } }, failed: { outcome.failures.append($0) }, ended: { _ in })
    let channel = EmbeddedChannel()
    let handler = TLSHandler(
      session: try TLSSession(server: try cluster.server()), isServer: true, logger: LogBook().logger, owner: owner,
      flushQueue: FlushQueue(channel.embeddedEventLoop))
    try channel.pipeline.syncOperations.addHandler(handler)
    try channel.connect(to: SocketAddress(ipAddress: "127.0.0.1", port: 1)).wait()
    return (channel, handler, counts, outcome)
  }

  final class Outcome {
    var failures: [TransportError] = []
  }

  @Test("A handshake that takes too long is given up")
  func handshakeTimeout() throws {
    let (channel, _, _, outcome) = try embedded()
    channel.embeddedEventLoop.advanceTime(by: .milliseconds(Limits.handshakeMilliseconds - 1))
    #expect(channel.isActive)
    channel.embeddedEventLoop.advanceTime(by: .milliseconds(2))
    #expect(!channel.isActive)
    #expect(outcome.failures == [.handshakeTimeout(milliseconds: Limits.handshakeMilliseconds)])
  }

  @Test("A connection that was closed waits for its peer's farewell, but not for ever")
  func linger() throws {
    let (channel, handler, _, _) = try embedded()
    handler.close()
    channel.embeddedEventLoop.run()
    channel.embeddedEventLoop.advanceTime(by: .milliseconds(Limits.lingerMilliseconds + 1))
    #expect(!channel.isActive)
  }
}

/// A client that sends without reading, for as long as the kernel takes it.
final class Sender {
  private let socket: RawSocket
  private let session: TLSSession
  private var ciphertext: [UInt8] = []
  private var sent = 0

  init(_ socket: RawSocket, _ session: TLSSession) {
    self.socket = socket
    self.session = session
  }

  func encrypt(_ plaintext: [UInt8]) throws {
    var out = [UInt8](repeating: 0, count: TLSSession.ciphertextBytes(for: plaintext.count))
    let count = try plaintext.withUnsafeBytes { bytes in
      try out.withUnsafeMutableBytes { try session.write(bytes, into: $0) }
    }
    ciphertext += out[..<count]
  }

  /// Sends until the kernel has taken nothing for half a second; true if it took everything.
  func sendUntilSilent() -> Bool {
    var idle = 0
    while sent < ciphertext.count, idle < 50 {
      let count = socket.sendWithoutWaiting(ciphertext[sent...])
      sent += count
      if count == 0 {
        idle += 1
        pause(milliseconds: 10)
      } else {
        idle = 0
      }
    }
    return sent == ciphertext.count
  }

  /// Sends the rest and reads all replies; gives the number of plaintext bytes.
  func finish() throws -> Int {
    session.close()
    var farewell = [UInt8](repeating: 0, count: session.pendingOutput)
    _ = farewell.withUnsafeMutableBytes { session.takeOutput(into: $0) }
    ciphertext += farewell
    var total = 0
    var room = [UInt8](repeating: 0, count: 16_384)
    while true {
      if sent < ciphertext.count { sent += socket.sendWithoutWaiting(ciphertext[sent...]) }
      let input = socket.receive()
      if input.isEmpty { return total }
      try input.withUnsafeBufferPointer { (bytes) throws(TLSError) in
        try session.withInput(UnsafeRawBufferPointer(bytes)) { () throws(TLSError) in
          while true {
            let progress = try room.withUnsafeMutableBufferPointer { (buffer) throws(TLSError) in
              try session.read(into: UnsafeMutableRawBufferPointer(buffer))
            }
            guard case .bytes(let count) = progress else { break }
            total += count
          }
        }
      }
    }
  }
}
