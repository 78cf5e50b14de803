/// An address `HOST:PORT`: a name, an IPv4 address, or an IPv6 address in brackets.
public struct HostPort: Hashable, Sendable, CustomStringConvertible {
  /// The name or address, without brackets.
  public let host: String
  /// The port; 0 where any free one will do.
  public let port: Int

  /// The longest host (RFC 1035 §2.3.4).
  public static let longestHost = 253

  /// An address of these parts.
  public init(host: String, port: Int) {
    self.host = host
    self.port = port
  }

  /// Reads an address; nil where the text is none. Port 0 is refused unless the address is one to listen on.
  public init?(parsing text: some StringProtocol, toListen: Bool = false) {
    guard let colon = text.lastIndex(of: ":") else { return nil }
    let digits = text[text.index(after: colon)...]
    guard digits.utf8.allSatisfy({ $0 >= 0x30 && $0 <= 0x39 }), let port = UInt16(digits),
      port > 0 || toListen
    else { return nil }
    var host = String(text[..<colon])
    let isBracketed = host.hasPrefix("[") && host.hasSuffix("]")
    if isBracketed { host = String(host.dropFirst().dropLast()) }
    guard (1...HostPort.longestHost).contains(host.utf8.count), isBracketed || !host.contains(":") else { return nil }
    // Visible ASCII alone: an address goes into messages, files and the resolver as it is.
    guard host.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7f && $0 != UInt8(ascii: "[") && $0 != UInt8(ascii: "/") }) else {
      return nil
    }
    self.init(host: host, port: Int(port))
  }

  /// The form that `init(parsing:)` reads.
  public var description: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }
}
