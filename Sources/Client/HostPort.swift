/// An address of a node: `HOST:PORT`, where a host that holds colons stands in brackets.
struct HostPort: Equatable, Sendable {
  /// The host name or address, without brackets.
  let host: String
  /// The port, from 1.
  let port: UInt16

  /// The longest host name (RFC 1035 §2.3.4).
  static let longestHost = 253

  /// The address that a text names, or nil where it names none.
  init?(parsing text: some StringProtocol) {
    guard let colon = text.lastIndex(of: ":") else { return nil }
    let digits = text[text.index(after: colon)...]
    guard digits.utf8.allSatisfy({ $0 >= 0x30 && $0 <= 0x39 }), let port = UInt16(digits), port > 0 else { return nil }
    var host = String(text[..<colon])
    let isBracketed = host.hasPrefix("[") && host.hasSuffix("]")
    if isBracketed { host = String(host.dropFirst().dropLast()) }
    guard (1...HostPort.longestHost).contains(host.utf8.count), isBracketed || !host.contains(":") else { return nil }
    // Visible ASCII alone: an address goes into messages, files and the resolver as it is.
    guard host.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7f && $0 != UInt8(ascii: "[") && $0 != UInt8(ascii: "/") }) else {
      return nil
    }
    self.host = host
    self.port = port
  }
}
