import Bytes
import Glibc
import Logging
import NIOCore
import NIOPosix
import Synchronization
import TLS
import Testing
import Transport

/// Certificates of one cluster.
struct Cluster: Sendable {
  let authority: CertificateAuthority

  init(_ id: String = "alpha") throws { authority = try CertificateAuthority.create(clusterID: id) }

  var id: String { authority.clusterID }
  var ca: Certificate { authority.certificate }
  func node(_ number: UInt32) -> PeerIdentity { .node(cluster: id, id: NodeID(rawValue: number)) }
  func user(_ name: String = "ada") -> PeerIdentity { .client(cluster: id, name: name, role: .writer) }

  func issue(_ identity: PeerIdentity, validity: Validity = .leaf) throws -> (Certificate, PrivateKey) {
    let key = try PrivateKey.generate()
    return (try authority.sign(try SigningRequest(key: key), identity: identity, validity: validity), key)
  }

  func server(
    node number: UInt32 = 1, revoked: @escaping TLSContext.Revocation = { _, _ in false }
  ) throws -> TLSContext {
    let (certificate, key) = try issue(node(number))
    return try .server(certificate: certificate, key: key, ca: ca, cluster: id, revoked: revoked)
  }

  func client(as identity: PeerIdentity? = nil, validity: Validity = .leaf) throws -> TLSContext {
    let (certificate, key) = try issue(identity ?? user(), validity: validity)
    return try .client(certificate: certificate, key: key, ca: ca, cluster: id)
  }
}

/// Collects what is logged.
final class LogBook: Sendable {
  struct Line: Sendable {
    let level: Logger.Level
    let text: String
  }
  private let lines = Mutex<[Line]>([])

  var all: [Line] { lines.withLock { $0 } }
  func add(_ line: Line) { lines.withLock { $0.append(line) } }

  /// Waits until a line fits.
  func line(where fits: (Line) -> Bool) -> Line? {
    for _ in 0..<500 {
      if let line = all.first(where: fits) { return line }
      pause(milliseconds: 10)
    }
    return nil
  }

  var logger: Logger {
    var logger = Logger(label: "test") { _ in Handler(book: self) }
    logger.logLevel = .trace
    return logger
  }

  private struct Handler: LogHandler {
    let book: LogBook
    var metadata: Logger.Metadata = [:]
    var logLevel = Logger.Level.trace
    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
      get { metadata[key] }
      set { metadata[key] = newValue }
    }
    func log(event: LogEvent) { book.add(Line(level: event.level, text: event.message.description)) }
  }
}

/// A receiver made of closures, which counts what it is told.
final class Script: FrameReceiver {
  struct Counts: Sendable {
    var connected = 0
    var frames = 0
    var bytes = 0
    var reads = 0
    var drained = 0
    var reasons: [String] = []
  }

  let counts: Tally
  private let onConnected: (FramedConnection) -> Void
  private let onFrame: (UInt8, [UInt8], FramedConnection) -> Void

  init(
    _ counts: Tally, onConnected: @escaping (FramedConnection) -> Void = { _ in },
    onFrame: @escaping (UInt8, [UInt8], FramedConnection) -> Void
  ) {
    self.counts = counts
    self.onConnected = onConnected
    self.onFrame = onFrame
  }

  func connected(_ connection: FramedConnection) {
    counts.change { $0.connected += 1 }
    onConnected(connection)
  }
  func received(_ kind: UInt8, _ payload: UnsafeRawBufferPointer, on connection: FramedConnection) {
    counts.change {
      $0.frames += 1
      $0.bytes += payload.count
    }
    onFrame(kind, Array(payload), connection)
  }
  func readComplete(on connection: FramedConnection) { counts.change { $0.reads += 1 } }
  func drained(_ connection: FramedConnection) { counts.change { $0.drained += 1 } }
  func disconnected(_ connection: FramedConnection, reason: String) {
    counts.change { $0.reasons.append(reason) }
  }
}

/// Counts that a test reads while the loop changes them.
final class Tally: Sendable {
  private let counts = Mutex(Script.Counts())
  var now: Script.Counts { counts.withLock { $0 } }
  func change(_ body: (inout Script.Counts) -> Void) { counts.withLock { body(&$0) } }

  /// Waits until the counts fit; false after five seconds.
  func wait(_ fits: (Script.Counts) -> Bool) -> Bool {
    for _ in 0..<1000 {
      if fits(now) { return true }
      pause(milliseconds: 5)
    }
    return false
  }
}

func pause(milliseconds: Int) { usleep(UInt32(milliseconds) * 1000) }

/// A listener on a loop of its own.
final class Harness {
  typealias OnFrame = @Sendable (UInt8, [UInt8], FramedConnection) -> Void
  let cluster: Cluster
  let loop: any EventLoop
  let listener: Listener
  let port: Int
  let book = LogBook()
  let counts = Tally()
  private let group: MultiThreadedEventLoopGroup

  /// Echoes each frame unless told otherwise.
  init(
    cluster: Cluster, context: TLSContext? = nil, limit: Int = .max,
    onFrame: @escaping OnFrame = { kind, payload, connection in connection.send(kind: kind, payload: payload) }
  ) throws {
    self.cluster = cluster
    let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
    self.group = group
    loop = group.next()
    let context = try context ?? cluster.server()
    let (loop, counts, logger) = (loop, counts, book.logger)
    listener = try loop.flatSubmit {
      Listener.bind(host: "127.0.0.1", port: 0, context: context, loop: loop, limit: limit, logger: logger) { _ in
        Script(counts, onFrame: onFrame)
      }
    }.wait()
    let listener = listener
    port = try loop.submit { listener.port }.wait()
  }

  deinit {
    let listener = listener
    try? loop.submit {
      listener.stopAccepting()
      listener.closeAll()
    }.wait()
    group.shutdownGracefully { _ in }
  }

  func connect(_ context: TLSContext? = nil, resume: [UInt8]? = nil) throws -> BlockingConnection {
    try BlockingConnection(
      host: "127.0.0.1", port: port, context: context ?? cluster.client(), timeoutMilliseconds: 5000, resume: resume)
  }

  /// Runs on the loop.
  func onLoop<Result: Sendable>(_ body: @escaping @Sendable () throws -> Result) throws -> Result {
    try loop.submit(body).wait()
  }
}

extension BlockingConnection {
  func sendFrame(_ kind: UInt8, _ payload: [UInt8]) throws {
    try send(frame(kind, payload), timeoutMilliseconds: 5000)
  }

  func receiveFrame() throws -> (kind: UInt8, payload: [UInt8]) {
    var reader = ByteReader(try receive(exactly: FrameHeader.encodedBytes, timeoutMilliseconds: 5000))
    let header = try FrameHeader(from: &reader)
    return (header.kind, try receive(exactly: header.payloadBytes, timeoutMilliseconds: 5000))
  }
}

func frame(_ kind: UInt8, _ payload: [UInt8]) -> [UInt8] {
  var writer = ByteWriter()
  FrameHeader(kind: kind, payloadBytes: payload.count).encode(into: &writer)
  writer.raw(payload)
  return writer.bytes
}

func randomBytes(_ count: Int, _ random: inout SplitMix64) -> [UInt8] {
  var bytes = [UInt8](repeating: 0, count: count)
  bytes.withUnsafeMutableBytes { buffer in
    for at in stride(from: 0, to: count - 7, by: 8) {
      buffer.storeBytes(of: random.next(), toByteOffset: at, as: UInt64.self)
    }
  }
  return bytes
}
