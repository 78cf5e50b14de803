/// The small text file from which a client finds and trusts a cluster. It holds a private key: mode 0600.
///
/// A head line, then one `name value` on each line; empty lines and lines that begin with `#` say nothing.
public struct ClusterFile: Equatable, Sendable {
  /// The first line of the file.
  public static let head = "kv cluster file, version 1"

  /// The cluster's name, which its certificates carry.
  public let cluster: String
  /// Where nodes were when the file was made: `HOST:PORT`, at least one.
  public let addresses: [String]
  /// The certificate of the cluster's authority, DER.
  public let authority: [UInt8]
  /// Authorities that this one has replaced, DER: nobody believes them but for what snapshots' files of then say.
  public let pastAuthorities: [[UInt8]]
  /// The client's certificate, DER.
  public let certificate: [UInt8]
  /// The client's private key, DER.
  public let privateKey: [UInt8]

  /// A file of these parts.
  public init(
    cluster: String, addresses: [String], authority: [UInt8], pastAuthorities: [[UInt8]] = [],
    certificate: [UInt8], privateKey: [UInt8]
  ) {
    self.cluster = cluster
    self.addresses = addresses
    self.authority = authority
    self.pastAuthorities = pastAuthorities
    self.certificate = certificate
    self.privateKey = privateKey
  }

  /// The file as text.
  public var text: String {
    var lines = [ClusterFile.head, "cluster \(cluster)"]
    lines += addresses.map { "address \($0)" }
    lines.append("authority \(Base64.encode(authority))")
    lines += pastAuthorities.map { "past-authority \(Base64.encode($0))" }
    lines.append("certificate \(Base64.encode(certificate))")
    lines.append("key \(Base64.encode(privateKey))")
    return lines.joined(separator: "\n") + "\n"
  }
}

extension ClusterFile: CustomStringConvertible {
  /// Names the cluster, and never the key.
  public var description: String { "the cluster file of \(cluster)" }
}
