import Glibc
import TLS
import Testing

/// A plain blocking socket to a local port, for peers that do what no client of ours does.
final class RawSocket {
  private var descriptor: Int32

  init(port: Int) throws {
    descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = in_port_t(port).bigEndian
    address.sin_addr.s_addr = in_addr_t(0x7f00_0001).bigEndian
    let result = withUnsafePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
      }
    }
    try #require(result == 0)
    var limit = timeval(tv_sec: 5, tv_usec: 0)
    setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
  }

  deinit { close() }

  func close() {
    if descriptor >= 0 { Glibc.close(descriptor) }
    descriptor = -1
  }

  /// Ends the connection by a reset, as a process does that dies with unread input.
  func abort() {
    var linger = linger(l_onoff: 1, l_linger: 0)
    setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &linger, socklen_t(MemoryLayout<linger>.size))
    close()
  }

  func shutDownSending() { shutdown(descriptor, Int32(SHUT_WR)) }

  /// Whether all bytes were taken by the kernel.
  @discardableResult
  func send(_ bytes: [UInt8]) -> Bool {
    var at = 0
    while at < bytes.count {
      let count = bytes.withUnsafeBytes {
        Glibc.send(descriptor, $0.baseAddress.map { $0 + at }, bytes.count - at, Int32(MSG_NOSIGNAL))
      }
      guard count > 0 else { return false }
      at += count
    }
    return true
  }

  /// Gives the kernel what it takes at once.
  func sendWithoutWaiting(_ bytes: ArraySlice<UInt8>) -> Int {
    max(
      0,
      bytes.withUnsafeBytes {
        Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL) | Int32(MSG_DONTWAIT))
      })
  }

  /// What arrives next; nothing at the end, after an error, and after five seconds.
  func receive() -> [UInt8] {
    var buffer = [UInt8](repeating: 0, count: 65_536)
    let count = recv(descriptor, &buffer, buffer.count, 0)
    return Array(buffer.prefix(max(0, count)))
  }

  func flush(_ session: TLSSession) throws {
    var bytes = [UInt8](repeating: 0, count: session.pendingOutput)
    let count = bytes.withUnsafeMutableBytes { session.takeOutput(into: $0) }
    try #require(count == bytes.count && send(bytes))
  }

  func shakeHands(_ session: TLSSession) throws {
    while true {
      if try session.handshake() { break }
      try flush(session)
      let input = receive()
      try #require(!input.isEmpty)
      try input.withUnsafeBufferPointer { (bytes) throws(TLSError) in
        try session.withInput(UnsafeRawBufferPointer(bytes)) { () throws(TLSError) in _ = try session.handshake() }
      }
    }
    try flush(session)
  }

  func write(_ plaintext: [UInt8], _ session: TLSSession) throws {
    let count = try plaintext.withUnsafeBytes {
      try session.write($0, into: UnsafeMutableRawBufferPointer(start: nil, count: 0))
    }
    #expect(count == 0)
    try flush(session)
  }

  func readToEnd(_ session: TLSSession) throws -> [UInt8] {
    var plaintext: [UInt8] = []
    var room = [UInt8](repeating: 0, count: 16_384)
    while true {
      let input = receive()
      if input.isEmpty { return plaintext }
      try input.withUnsafeBufferPointer { (bytes) throws(TLSError) in
        try session.withInput(UnsafeRawBufferPointer(bytes)) { () throws(TLSError) in
          while true {
            let progress = try room.withUnsafeMutableBufferPointer { (buffer) throws(TLSError) in
              try session.read(into: UnsafeMutableRawBufferPointer(buffer))
            }
            guard case .bytes(let count) = progress else { break }
            plaintext += room[..<count]
          }
        }
      }
    }
  }
}

/// A listening socket of which the kernel accepts connections and nobody else. With a greeting, one connection gets it.
final class DeafListener {
  private let descriptor: Int32
  let port: Int

  init(greeting: [UInt8]? = nil) throws {
    descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = in_addr_t(0x7f00_0001).bigEndian
    var size = socklen_t(MemoryLayout<sockaddr_in>.size)
    let descriptor = descriptor
    let bound = withUnsafeMutablePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        bind(descriptor, $0, size) == 0 && listen(descriptor, 8) == 0 && getsockname(descriptor, $0, &size) == 0
      }
    }
    try #require(bound)
    port = Int(in_port_t(bigEndian: address.sin_port))
    guard let greeting else { return }
    var thread = pthread_t()
    let job = Unmanaged.passRetained(Greeting(descriptor: descriptor, bytes: greeting))
    let made = pthread_create(
      &thread, nil,
      { raw in
        guard let raw else { return nil }
        let job = Unmanaged<Greeting>.fromOpaque(raw).takeRetainedValue()
        let accepted = accept(job.descriptor, nil, nil)
        _ = send(accepted, job.bytes, job.bytes.count, Int32(MSG_NOSIGNAL))
        Glibc.close(accepted)
        return nil
      }, job.toOpaque())
    try #require(made == 0)
    pthread_detach(thread)
  }

  deinit { Glibc.close(descriptor) }

  private final class Greeting {
    let descriptor: Int32
    let bytes: [UInt8]
    init(descriptor: Int32, bytes: [UInt8]) {
      self.descriptor = descriptor
      self.bytes = bytes
    }
  }
}
