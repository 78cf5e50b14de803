import Bytes
import Testing

@testable import Server

@Suite("Requests to the monitor's port")
struct HTTPRequestTests {
  private static func read(_ text: String) -> HTTPRequest.Progress { HTTPRequest.read(Array(text.utf8)) }

  @Test("A request is its method, its path without a query, and its host without a port")
  func whole() {
    #expect(
      Self.read("GET /metrics?x=1 HTTP/1.1\r\nHost: localhost:4712\r\nAccept: */*\r\n\r\n")
        == .complete(HTTPRequest(isHead: false, path: "/metrics", host: "localhost")))
    #expect(
      Self.read("HEAD / HTTP/1.0\n\n") == .complete(HTTPRequest(isHead: true, path: "/", host: nil)))
    #expect(
      Self.read("GET / HTTP/1.1\r\nhost: [::1]:80\r\nContent-Length: 0\r\n\r\n")
        == .complete(HTTPRequest(isHead: false, path: "/", host: "::1")))
  }

  @Test("Every beginning of a request is incomplete, as long as it isn't too long")
  func pieces() {
    let text = Array("GET /metrics HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".utf8)
    for count in 0..<text.count { #expect(HTTPRequest.read(Array(text[..<count])) == .incomplete) }
    #expect(Self.read("GET /" + String(repeating: "a", count: 9000)) == .refused(.headerTooLarge))
    #expect(
      Self.read("GET / HTTP/1.1\r\nx: " + String(repeating: "a", count: 9000) + "\r\n\r\n") == .refused(.headerTooLarge)
    )
  }

  @Test(
    "What is no request of this kind is refused",
    arguments: [
      ("POST / HTTP/1.1\r\n\r\n", HTTPStatus.methodNotAllowed), ("GET / HTTP/2\r\n\r\n", .badRequest),
      ("GET /\r\n\r\n", .badRequest), ("GET  / HTTP/1.1\r\n\r\n", .badRequest),
      ("GET http://other/ HTTP/1.1\r\n\r\n", .badRequest), ("\r\n\r\n", .badRequest),
      ("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", .badRequest),
      ("GET / HTTP/1.1\r\n folded\r\n\r\n", .badRequest), ("GET / HTTP/1.1\r\nno colon\r\n\r\n", .badRequest),
      ("GET / HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello", .contentTooLarge),
      ("GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", .contentTooLarge),
      ("GET /\u{e9} HTTP/1.1\r\n\r\n", .badRequest), ("GET /\0 HTTP/1.1\r\n\r\n", .badRequest),
    ])
  func refused(text: String, status: HTTPStatus) {
    #expect(Self.read(text) == .refused(status))
  }

  @Test("Bytes at random, and requests with bytes changed at random, are read or refused")
  func garbage() {
    var random = SplitMix64(seed: 42)
    let sound = Array("GET /status.json HTTP/1.1\r\nHost: localhost\r\nUser-Agent: x\r\n\r\n".utf8)
    for _ in 0..<20_000 {
      var bytes = sound
      for _ in 0..<Int(random.next() % 4 + 1) {
        bytes[Int(random.next() % UInt64(bytes.count))] = UInt8(truncatingIfNeeded: random.next())
      }
      if case .complete(let request) = HTTPRequest.read(bytes) { #expect(request.path.hasPrefix("/")) }
      _ = HTTPRequest.read((0..<Int(random.next() % 200)).map { _ in UInt8(truncatingIfNeeded: random.next()) })
    }
  }

  @Test("An answer is closed behind its content, and a HEAD's has none")
  func answer() {
    let text = String(decoding: HTTPAnswer.only(.notFound).encoded(isHead: false), as: UTF8.self)
    #expect(text.hasPrefix("HTTP/1.1 404 Not Found\r\n") && text.hasSuffix("\r\n\r\nNot Found\n"))
    #expect(text.contains("\r\nContent-Length: 10\r\n") && text.contains("\r\nConnection: close\r\n"))
    #expect(String(decoding: HTTPAnswer.only(.ok).encoded(isHead: true), as: UTF8.self).hasSuffix("\r\n\r\n"))
  }

  @Test("Loopback is what its names and numbers say")
  func loopback() {
    for host in ["localhost", "127.0.0.1", "127.8.9.1", "::1"] { #expect(MonitorServer.isLoopback(host)) }
    for host in ["0.0.0.0", "::", "192.0.2.1", "127.example.org", "localhost.example.org", ""] {
      #expect(!MonitorServer.isLoopback(host))
    }
  }
}
