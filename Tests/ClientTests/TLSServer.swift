import Bytes
import Glibc
import Synchronization
import TLS
import Testing
import Wire

@testable import Client

/// A node over real TLS on a local port: a thread for each connection, a closure for each request.
final class TLSServer: Sendable {
  /// What the server answers; nil: nothing.
  typealias Handler = @Sendable (WireRequest) -> WireResponse.OneOf_Body?

  struct Counts {
    var connections = 0
    var resumed = 0
    var requests = 0
    var enrolments = 0
    var isStopped = false
    var open: Set<Int32> = []
  }

  let port: Int
  let counts = Mutex(Counts())
  private let listener: Int32
  private let context: TLSContext
  private let handler: Handler

  var address: String { "127.0.0.1:\(port)" }

  init(_ context: TLSContext, _ handler: @escaping Handler) throws {
    listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = in_addr_t(0x7f00_0001).bigEndian
    var size = socklen_t(MemoryLayout<sockaddr_in>.size)
    let listener = self.listener
    let result = withUnsafeMutablePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        bind(listener, $0, size) == 0 && listen(listener, 64) == 0 && getsockname(listener, $0, &size) == 0
      }
    }
    try #require(result)
    port = Int(in_port_t(bigEndian: address.sin_port))
    self.context = context
    self.handler = handler
    Self.thread { self.accept() }
  }

  /// Accepts no more; open connections go on.
  func stop() {
    counts.withLock { $0.isStopped = true }
    shutdown(listener, Int32(SHUT_RDWR))
    close(listener)
  }

  /// Ends every open connection, as a dying process does.
  func cutConnections() {
    counts.withLock { counts in
      for descriptor in counts.open { shutdown(descriptor, Int32(SHUT_RDWR)) }
    }
  }

  private func accept() {
    while true {
      let descriptor = Glibc.accept(listener, nil, nil)
      if counts.withLock({ $0.isStopped }) { return }
      guard descriptor >= 0 else { continue }
      _ = counts.withLock { $0.open.insert(descriptor) }
      Self.thread { [self] in
        try? serve(descriptor)
        _ = counts.withLock { $0.open.remove(descriptor) }
        close(descriptor)
      }
    }
  }

  private func serve(_ descriptor: Int32) throws {
    let session = try TLSSession(server: context)
    defer { flush(session, descriptor) }
    var plain: [UInt8] = []
    var isNew = true
    while let input = Self.receive(descriptor) {
      var ended = false
      try input.withUnsafeBytes { bytes in
        try session.withInput(bytes) { () throws(TLSError) in
          guard try session.handshake() else { return }
          ended = try Self.readAll(session, into: &plain)
        }
      }
      flush(session, descriptor)
      if session.isEstablished, isNew {
        isNew = false
        counts.withLock {
          $0.connections += 1
          $0.resumed += session.isResumed ? 1 : 0
        }
      }
      try answerAll(&plain, session, descriptor)
      if ended { return }
    }
  }

  private func answerAll(_ plain: inout [UInt8], _ session: TLSSession, _ descriptor: Int32) throws {
    var taken = 0
    var out: [UInt8] = []
    while plain.count - taken >= FrameHeader.encodedBytes {
      var reader = ByteReader(plain, range: taken..<plain.count)
      let header = try FrameHeader(from: &reader)
      guard reader.remaining >= header.payloadBytes else { break }
      let request = try #require(WireRequest(untrusted: try reader.bytes(header.payloadBytes)))
      taken = reader.offset
      counts.withLock {
        $0.requests += 1
        if case .enrol = request.body { $0.enrolments += 1 }
      }
      guard let body = handler(request) else { continue }
      var response = WireResponse()
      response.id = request.id
      response.body = body
      Frames.append(response.encoded, kind: .response, to: &out)
    }
    plain.removeFirst(taken)
    guard !out.isEmpty else { return }
    var cipher = [UInt8](repeating: 0, count: TLSSession.ciphertextBytes(for: out.count) + session.pendingOutput)
    let count = try cipher.withUnsafeMutableBytes { room in
      try out.withUnsafeBytes { bytes in try session.write(bytes, into: room) }
    }
    Self.send(descriptor, cipher.prefix(count))
    flush(session, descriptor)
  }

  private func flush(_ session: TLSSession, _ descriptor: Int32) {
    var bytes = [UInt8](repeating: 0, count: session.pendingOutput)
    let count = bytes.withUnsafeMutableBytes { session.takeOutput(into: $0) }
    Self.send(descriptor, bytes.prefix(count))
  }

  private static func readAll(_ session: TLSSession, into plain: inout [UInt8]) throws(TLSError) -> Bool {
    var room = [UInt8](repeating: 0, count: 16_384)
    while true {
      let progress = try room.withUnsafeMutableBufferPointer { bytes throws(TLSError) in
        try session.read(into: UnsafeMutableRawBufferPointer(bytes))
      }
      switch progress {
      case .bytes(let count): plain += room.prefix(count)
      case .wantsInput: return false
      case .end: return true
      }
    }
  }

  private static func receive(_ descriptor: Int32) -> [UInt8]? {
    var buffer = [UInt8](repeating: 0, count: 65_536)
    let count = recv(descriptor, &buffer, buffer.count, 0)
    return count > 0 ? Array(buffer.prefix(count)) : nil
  }

  private static func send(_ descriptor: Int32, _ bytes: ArraySlice<UInt8>) {
    var rest = bytes
    while !rest.isEmpty {
      let count = rest.withUnsafeBytes { Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
      guard count > 0 else { return }
      rest = rest.dropFirst(count)
    }
  }

  private final class Work {
    let run: @Sendable () -> Void
    init(_ run: @escaping @Sendable () -> Void) { self.run = run }
  }

  /// A thread of its own: what blocks here must not hold up the tests' threads.
  static func thread(_ run: @escaping @Sendable () -> Void) {
    var id = pthread_t()
    let work = Unmanaged.passRetained(Work(run)).toOpaque()
    let result = pthread_create(
      &id, nil,
      { argument in
        argument.map { Unmanaged<Work>.fromOpaque($0).takeRetainedValue().run() }
        return nil
      }, work)
    if result == 0 { pthread_detach(id) }
  }
}
