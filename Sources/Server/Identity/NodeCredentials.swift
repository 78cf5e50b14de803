import Bytes
import Environment
import Node
import TLS
import Wire

/// A node's key and certificate, and the certificate of its cluster's authority: the files in `identity/`.
///
/// Immutable once made; `TLSContext`s are built from it.
struct NodeCredentials: Sendable {
  let key: PrivateKey
  let certificate: Certificate
  let authority: Certificate

  /// The same key with another certificate.
  func renewed(_ certificate: Certificate) -> NodeCredentials {
    NodeCredentials(key: key, certificate: certificate, authority: authority)
  }

  /// Writes the certificate alone, durably: the key and the authority's are there.
  func saveCertificate(to directory: String, on disk: any Disk) throws(DiskError) {
    try disk.replace(NodeCredentials.path(directory, "node.crt"), with: certificate.der)
  }

  private static func path(_ directory: String, _ name: String) -> String { "\(directory)/identity/\(name)" }

  /// Writes the three files, mode 0600, durably.
  func save(to directory: String, on disk: any Disk) throws(ServerError) {
    do {
      try disk.createDirectory(directory)
      try disk.createDirectory(directory + "/identity")
      try disk.syncDirectory(directory)
      try disk.replace(NodeCredentials.path(directory, "node.key"), with: try key.der())
      try disk.replace(NodeCredentials.path(directory, "node.crt"), with: certificate.der)
      try disk.replace(NodeCredentials.path(directory, "ca.crt"), with: authority.der)
    } catch let error as DiskError {
      throw .node(.disk(error))
    } catch let error as TLSError {
      throw .tls(error)
    } catch {
      throw .identity(path: directory, words: "\(error)")
    }
  }

  /// Reads the three files.
  static func load(from directory: String, on disk: any Disk) throws(ServerError) -> NodeCredentials {
    func read(_ name: String) throws(ServerError) -> [UInt8] {
      do {
        return try disk.contents(of: path(directory, name), limit: 64 << 10)
      } catch {
        throw .node(.disk(error))
      }
    }
    let (key, certificate, authority) = (try read("node.key"), try read("node.crt"), try read("ca.crt"))
    do throws(TLSError) {
      return NodeCredentials(
        key: try PrivateKey(der: key), certificate: try Certificate(der: certificate),
        authority: try Certificate(der: authority))
    } catch {
      throw .identity(path: directory + "/identity", words: "\(error)")
    }
  }

  /// The context in which others connect to the node.
  func serverContext(cluster: String, revocations: Revocations) throws(ServerError) -> TLSContext {
    do throws(TLSError) {
      return try TLSContext.server(
        certificate: certificate, key: key, ca: authority, cluster: cluster, revoked: revocations.check)
    } catch {
      throw .tls(error)
    }
  }

  /// The context in which the node connects to others.
  func clientContext(cluster: String, revocations: Revocations) throws(ServerError) -> TLSContext {
    do throws(TLSError) {
      return try TLSContext.client(
        certificate: certificate, key: key, ca: authority, cluster: cluster, revoked: revocations.check)
    } catch {
      throw .tls(error)
    }
  }
}
