import Bytes

/// One request of HTTP/1.1 (RFC 9112) without a body, read from bytes that may be anything.
struct HTTPRequest: Equatable {
  /// Whether the answer is to come without its content.
  let isHead: Bool
  /// The path, without a query.
  let path: String
  /// The host that the client believes it talks to, without a port; nil if it doesn't say.
  let host: String?

  /// What became of the bytes read so far.
  enum Progress: Equatable {
    /// The request has not ended yet.
    case incomplete
    case complete(HTTPRequest)
    /// No request that is served, with the status to answer.
    case refused(HTTPStatus)
  }

  /// The most bytes of a request line and header.
  static let longest = 8192

  /// Reads what has arrived.
  static func read(_ bytes: [UInt8]) -> Progress {
    guard let end = endOfHeader(bytes) else {
      return bytes.count > longest ? .refused(.headerTooLarge) : .incomplete
    }
    guard end <= longest else { return .refused(.headerTooLarge) }
    let lines = bytes[..<end].split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
      .map { $0.last == UInt8(ascii: "\r") ? $0.dropLast() : $0 }
    // Visible ASCII, spaces and tabs alone: nothing else is in what Prometheus, curl or a browser asks here.
    guard lines.allSatisfy({ $0.allSatisfy { $0 == 9 || (0x20..<0x7f).contains($0) } }), let first = lines.first else {
      return .refused(.badRequest)
    }
    let words = String(decoding: first, as: UTF8.self).split(separator: " ", omittingEmptySubsequences: false)
    guard words.count == 3, words[2] == "HTTP/1.1" || words[2] == "HTTP/1.0" else { return .refused(.badRequest) }
    guard words[0] == "GET" || words[0] == "HEAD" else { return .refused(.methodNotAllowed) }
    guard words[1].hasPrefix("/") else { return .refused(.badRequest) }
    return header(lines.dropFirst(), isHead: words[0] == "HEAD", path: String(words[1].prefix { $0 != "?" }))
  }

  private static func header(_ lines: ArraySlice<ArraySlice<UInt8>>, isHead: Bool, path: String) -> Progress {
    var host: String?
    for line in lines where !line.isEmpty {
      let text = String(decoding: line, as: UTF8.self)
      guard let colon = text.firstIndex(of: ":"), colon > text.startIndex, !text.hasPrefix(" "), !text.hasPrefix("\t")
      else { return .refused(.badRequest) }
      let value = String(text[text.index(after: colon)...].drop { $0 == " " || $0 == "\t" })
      switch text[..<colon].lowercased() {
      case "host":
        guard host == nil else { return .refused(.badRequest) }
        host = HostPort(parsing: value, toListen: true)?.host ?? value
      case "transfer-encoding": return .refused(.contentTooLarge)
      case "content-length" where value != "0": return .refused(.contentTooLarge)
      default: break
      }
    }
    return .complete(HTTPRequest(isHead: isHead, path: path, host: host))
  }

  /// Where the empty line ends that ends a header.
  private static func endOfHeader(_ bytes: [UInt8]) -> Int? {
    var lineIsEmpty = false
    for (place, byte) in bytes.enumerated() {
      if byte == UInt8(ascii: "\n") {
        if lineIsEmpty { return place + 1 }
        lineIsEmpty = true
      } else if byte != UInt8(ascii: "\r") {
        lineIsEmpty = false
      }
    }
    return nil
  }
}

/// The statuses that are answered.
enum HTTPStatus: Int {
  case ok = 200
  case badRequest = 400
  case forbidden = 403
  case notFound = 404
  case methodNotAllowed = 405
  case timeout = 408
  case contentTooLarge = 413
  case headerTooLarge = 431
  case unavailable = 503

  /// The words behind the number.
  var reason: String {
    switch self {
    case .ok: "OK"
    case .badRequest: "Bad Request"
    case .forbidden: "Forbidden"
    case .notFound: "Not Found"
    case .methodNotAllowed: "Method Not Allowed"
    case .timeout: "Request Timeout"
    case .contentTooLarge: "Content Too Large"
    case .headerTooLarge: "Request Header Fields Too Large"
    case .unavailable: "Service Unavailable"
    }
  }
}

/// An answer.
struct HTTPAnswer: Equatable {
  var status = HTTPStatus.ok
  var type = "text/plain; charset=utf-8"
  var content: [UInt8]

  /// An answer that says what the status says.
  static func only(_ status: HTTPStatus) -> HTTPAnswer {
    HTTPAnswer(status: status, content: Array("\(status.reason)\n".utf8))
  }

  /// The bytes of the answer, after which the connection is closed. The page may load nothing from anywhere, be framed
  /// by nobody, and tell nobody where it was.
  func encoded(isHead: Bool) -> [UInt8] {
    var lines = [
      "HTTP/1.1 \(status.rawValue) \(status.reason)", "Content-Type: \(type)", "Content-Length: \(content.count)",
      "Cache-Control: no-store", "X-Content-Type-Options: nosniff", "Referrer-Policy: no-referrer",
      "Content-Security-Policy: default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline';"
        + " connect-src 'self'; img-src data:; frame-ancestors 'none'",
      "Connection: close",
    ]
    if status == .methodNotAllowed { lines.append("Allow: GET, HEAD") }
    return Array((lines.joined(separator: "\r\n") + "\r\n\r\n").utf8) + (isHead ? [] : content)
  }
}
