public import Bytes

/// Who a certificate says its holder is: the one URI among its subject alternative names.
///
/// Nodes: `kv://CLUSTER/node/ID`. Clients: `kv://CLUSTER/client/NAME?role=ROLE`. Nothing else in a certificate is
/// believed, and every other form of the URI is refused.
public enum PeerIdentity: Hashable, Sendable {
  /// What a client may do.
  public enum Role: String, Hashable, Sendable, CaseIterable {
    /// Everything, members and settings included.
    case admin
    /// Read and write data.
    case writer
    /// Read data.
    case reader
  }

  /// A node of a cluster.
  case node(cluster: String, id: NodeID)
  /// A client of a cluster.
  case client(cluster: String, name: String, role: Role)

  /// The most characters in the name of a cluster or client.
  public static let nameLength = 64

  /// Whether a name fits a cluster or client: 1 to 64 of ASCII letters, digits, `.`, `_`, `-`.
  public static func isName(_ text: some StringProtocol) -> Bool {
    let bytes = text.utf8
    return (1...nameLength).contains(bytes.count)
      && bytes.allSatisfy { byte in
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
          UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "-"):
          true
        default: false
        }
      }
  }

  /// The cluster that the identity belongs to.
  public var cluster: String {
    switch self {
    case .node(let cluster, _), .client(let cluster, _, _): cluster
    }
  }

  /// The URI as it stands in a certificate, or nil where a name does not fit one.
  public var uri: String? {
    guard PeerIdentity.isName(cluster) else { return nil }
    switch self {
    case .node(_, let id): return "kv://\(cluster)/node/\(id)"
    case .client(_, let name, let role):
      return PeerIdentity.isName(name) ? "kv://\(cluster)/client/\(name)?role=\(role.rawValue)" : nil
    }
  }

  /// Reads a URI; nil for any that `uri` would not have written exactly so.
  public init?(uri: String) {
    let scheme = "kv://"
    guard uri.hasPrefix(scheme) else { return nil }
    let parts = uri.dropFirst(scheme.count).split(separator: "/", omittingEmptySubsequences: false)
    guard parts.count == 3 else { return nil }
    let cluster = String(parts[0])
    switch parts[1] {
    case "node":
      guard let id = UInt32(parts[2]) else { return nil }
      self = .node(cluster: cluster, id: NodeID(rawValue: id))
    case "client":
      let halves = parts[2].split(separator: "?role=", maxSplits: 1, omittingEmptySubsequences: false)
      guard halves.count == 2, let role = Role(rawValue: String(halves[1])) else { return nil }
      self = .client(cluster: cluster, name: String(halves[0]), role: role)
    default: return nil
    }
    // The round trip refuses what the steps above let pass: signs, leading zeros, characters outside of names.
    guard let written = self.uri, written.utf8.elementsEqual(uri.utf8) else { return nil }
  }
}

extension PeerIdentity: CustomStringConvertible {
  public var description: String {
    switch self {
    case .node(let cluster, let id): "node \(id) of cluster \(cluster)"
    case .client(let cluster, let name, let role): "\(role.rawValue) client \(name) of cluster \(cluster)"
    }
  }
}
