import Glibc

@testable import Commands

/// A plain connection to a port of 127.0.0.1, for whatever bytes a test wants to send.
final class HTTPProbe {
  private let descriptor: Int32

  init?(_ port: Int) {
    descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | O_CLOEXEC, 0)
    var limit = timeval(tv_sec: 20, tv_usec: 0)
    setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = in_port_t(port).bigEndian
    address.sin_addr.s_addr = in_addr_t(0x7f00_0001).bigEndian
    // SAFETY: a sockaddr_in is what connect takes behind a sockaddr for AF_INET, with its size.
    let result = withUnsafePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        Glibc.connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
      }
    }
    if result != 0 { return nil }
  }

  deinit { close(descriptor) }

  /// Sends bytes; what isn't taken is left out.
  func send(_ bytes: [UInt8]) {
    // SAFETY: the array is valid while send reads it.
    _ = bytes.withUnsafeBytes { Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
  }

  /// Sends nothing any more, and goes on reading.
  func endSending() { shutdown(descriptor, Int32(SHUT_WR)) }

  /// All that comes until the other side closes, or for 20 seconds.
  func readAll() -> String {
    var all: [UInt8] = []
    var part = [UInt8](repeating: 0, count: 65_536)
    while true {
      // SAFETY: recv writes at most the bytes of the buffer.
      let count = recv(descriptor, &part, part.count, 0)
      if count <= 0 { return String(decoding: all, as: UTF8.self) }
      all += part[..<count]
    }
  }

  /// The answer to a request for a path: the status line and the content; nil where nobody listens.
  static func get(_ path: String, port: Int, method: String = "GET", host: String = "localhost") -> (
    status: String, content: String
  )? {
    guard let probe = HTTPProbe(port) else { return nil }
    probe.send(Array("\(method) \(path) HTTP/1.1\r\nHost: \(host)\r\n\r\n".utf8))
    let text = probe.readAll()
    guard let end = text.firstRange(of: "\r\n\r\n") else { return (text, "") }
    return (String(text.prefix { $0 != "\r\n" }), String(text[end.upperBound...]))
  }
}
