import Bytes
import Environment
import Node
import TLS
import Wire

/// A node's key and certificate, and whom it believes: the files in `identity/`.
///
/// Immutable once made; `TLSContext`s are built from it.
struct NodeCredentials: Sendable {
  let key: PrivateKey
  let certificate: Certificate
  let trust: NodeTrust
  /// Whether the certificate is of the present authority, rather than of one that is being replaced.
  let isOfPresent: Bool
  /// The authority that has signed the certificate.
  let issuer: Certificate

  init(key: PrivateKey, certificate: Certificate, trust: NodeTrust) {
    self.key = key
    self.certificate = certificate
    self.trust = trust
    isOfPresent = certificate.isSigned(by: trust.authority)
    issuer = isOfPresent ? trust.authority : trust.former ?? trust.authority
  }

  /// The same key with another certificate.
  func renewed(_ certificate: Certificate) -> NodeCredentials {
    NodeCredentials(key: key, certificate: certificate, trust: trust)
  }

  /// The same key and certificate among others to believe.
  func believing(_ trust: NodeTrust) -> NodeCredentials {
    NodeCredentials(key: key, certificate: certificate, trust: trust)
  }

  /// Writes the certificate alone, durably: the key and whom to believe are there.
  func saveCertificate(to directory: String, on disk: any Disk) throws(DiskError) {
    try disk.replace(NodeCredentials.path(directory, "node.crt"), with: certificate.der)
  }

  static func path(_ directory: String, _ name: String) -> String { "\(directory)/identity/\(name)" }

  /// Writes all files, mode 0600, durably.
  func save(to directory: String, on disk: any Disk) throws(ServerError) {
    do {
      try disk.createDirectory(directory)
      try disk.createDirectory(directory + "/identity")
      try disk.syncDirectory(directory)
      try disk.replace(NodeCredentials.path(directory, "node.key"), with: try key.der())
      // A certificate is replaced again where the authority that signed it has become known alone.
      try trust.save(to: directory, on: disk)
      try disk.replace(NodeCredentials.path(directory, "node.crt"), with: certificate.der)
    } catch let error as DiskError {
      throw .node(.disk(error))
    } catch let error as TLSError {
      throw .tls(error)
    } catch {
      throw .identity(path: directory, words: "\(error)")
    }
  }

  /// Reads the files.
  static func load(from directory: String, on disk: any Disk) throws(ServerError) -> NodeCredentials {
    func read(_ name: String) throws(ServerError) -> [UInt8] {
      do {
        return try disk.contents(of: path(directory, name), limit: 64 << 10)
      } catch {
        guard error.isNoFile else { throw .node(.disk(error)) }
        throw NodeCredentials.unusable(error.path, "the file is missing")
      }
    }
    let (key, certificate) = (try read("node.key"), try read("node.crt"))
    let trust = try NodeTrust.load(from: directory, on: disk, read)
    do throws(TLSError) {
      return NodeCredentials(
        key: try PrivateKey(der: key), certificate: try Certificate(der: certificate), trust: trust)
    } catch {
      throw unusable(directory + "/identity", "\(error)")
    }
  }

  /// Sees to it that the files fit each other, and are this node's.
  func check(node: NodeID, of cluster: String, in directory: String) throws(ServerError) {
    do throws(TLSError) {
      try key.check(isOf: certificate)
    } catch {
      throw NodeCredentials.unusable(directory + "/identity", "\(error)")
    }
    guard certificate.isSigned(by: issuer) else {
      throw NodeCredentials.unusable(
        directory + "/identity",
        "the authority has not signed node.crt: a file is damaged, or a rotation was finished without this node")
    }
    guard certificate.identity == .node(cluster: cluster, id: node) else {
      throw NodeCredentials.unusable(
        NodeCredentials.path(directory, "node.crt"),
        "the certificate of \(certificate.identity.map { "\($0)" } ?? "nobody"), and this is the directory of node \(node) "
          + "of cluster \(cluster)")
    }
  }

  /// What became of the files that say who the node is, and what to do without them.
  static func unusable(_ path: String, _ words: String) -> ServerError {
    .identity(
      path: path,
      words: "\(words); take it from a backup of the directory, or, where other nodes serve, have them go on without "
        + "this one (kv leave --lost) and let it join with an empty directory")
  }

  /// The context in which others connect to the node.
  func serverContext(cluster: String, revocations: Revocations) throws(ServerError) -> TLSContext {
    do throws(TLSError) {
      return try TLSContext.server(
        certificate: certificate, key: key, ca: trust.authority, former: trust.former, cross: trust.cross,
        cluster: cluster, revoked: revocations.check)
    } catch {
      throw .tls(error)
    }
  }

  /// The context in which the node connects to others.
  func clientContext(cluster: String, revocations: Revocations) throws(ServerError) -> TLSContext {
    do throws(TLSError) {
      return try TLSContext.client(
        certificate: certificate, key: key, ca: trust.authority, former: trust.former, cross: trust.cross,
        cluster: cluster, revoked: revocations.check)
    } catch {
      throw .tls(error)
    }
  }
}
