import Bytes
import FoundationEssentials
import TLS
import Wire

/// Why a text is not a join token.
public enum JoinTokenError: Error, Equatable, Sendable, CustomStringConvertible {
  /// It doesn't begin as one, or is longer than one can be.
  case notAToken(found: String)
  /// It begins as one and was cut or changed since.
  case malformed(expected: String, found: String)

  public var description: String {
    switch self {
    case .notAToken(let found):
      "expected a token that begins with '\(JoinToken.mark)', found \(found); `kv invite` prints one"
    case .malformed(let expected, let found):
      "the token is damaged: expected \(expected), found \(found); copy it again, whole"
    }
  }
}

/// What `kv invite` gives and `kv join` takes: where the cluster is, how to know it, and a secret that works once.
///
/// Its text is `kv1.` and a `kv.wire.JoinToken` in base64url without padding.
public struct JoinToken: Equatable, Sendable {
  /// What every token begins with.
  public static let mark = "kv1."
  /// The number of bytes of the pin.
  public static let pinBytes = 32
  /// The fewest and the most bytes of a secret.
  public static let secretBytes = 16...64
  /// The most addresses in a token.
  public static let mostAddresses = 16

  /// The cluster's name.
  public let cluster: String
  /// SHA-256 of the authority's certificate.
  public let pin: [UInt8]
  /// The secret, which the cluster takes once.
  public let secret: [UInt8]
  /// Nodes that may be asked: `HOST:PORT`.
  public let addresses: [String]

  /// A token of these parts.
  public init(cluster: String, pin: [UInt8], secret: [UInt8], addresses: [String]) {
    self.cluster = cluster
    self.pin = pin
    self.secret = secret
    self.addresses = addresses
  }

  /// The text of the token.
  public func encode() -> String {
    var message = WireJoinToken()
    message.cluster = cluster
    message.pin = Data(pin)
    message.secret = Data(secret)
    message.addresses = addresses
    return JoinToken.mark + Base64.encode(message.encoded, .url)
  }

  /// The token of a text; white space around it is passed over. Errors never repeat the secret.
  public init(parsing text: String) throws(JoinTokenError) {
    let trimmed = text.utf8.drop { $0 <= 0x20 }
    let end = trimmed.lastIndex { $0 > 0x20 }.map { trimmed.index(after: $0) } ?? trimmed.startIndex
    let token = trimmed[..<end]
    guard token.count <= ClientLimits.joinTokenBytes.rawValue else {
      throw .notAToken(found: "\(token.count) bytes")
    }
    guard token.starts(with: JoinToken.mark.utf8) else {
      throw .notAToken(found: token.isEmpty ? "nothing" : "something else")
    }
    let body = token.dropFirst(JoinToken.mark.utf8.count)
    guard let bytes = Base64.decode(body, .url) else {
      throw .malformed(expected: "base64url after '\(JoinToken.mark)'", found: "something else")
    }
    guard let message = WireJoinToken(untrusted: bytes) else {
      throw .malformed(expected: "a whole message", found: "\(bytes.count) bytes that are none")
    }
    self.init(
      cluster: message.cluster, pin: message.pin.array, secret: message.secret.array, addresses: message.addresses)
    try check()
  }

  private func check() throws(JoinTokenError) {
    guard PeerIdentity.isName(cluster) else {
      throw .malformed(expected: "a cluster's name", found: "\(cluster.utf8.count) bytes that are none")
    }
    guard pin.count == JoinToken.pinBytes else {
      throw .malformed(expected: "a pin of \(JoinToken.pinBytes) bytes", found: "\(pin.count)")
    }
    guard JoinToken.secretBytes.contains(secret.count) else {
      throw .malformed(
        expected: "a secret of \(JoinToken.secretBytes.lowerBound) to \(JoinToken.secretBytes.upperBound) bytes",
        found: "\(secret.count)")
    }
    guard (1...JoinToken.mostAddresses).contains(addresses.count) else {
      throw .malformed(expected: "1 to \(JoinToken.mostAddresses) addresses", found: "\(addresses.count)")
    }
    for address in addresses where HostPort(parsing: address) == nil {
      throw .malformed(expected: "addresses HOST:PORT", found: "'\(Escaping.text(Array(address.utf8.prefix(60))))'")
    }
  }
}

extension JoinToken: CustomStringConvertible {
  /// Names the cluster, and never the secret.
  public var description: String { "a join token of \(cluster)" }
}
