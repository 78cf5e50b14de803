import Bytes
public import Client
import Environment
import Node
import TLS

extension Server {
  /// A cluster file by which a command speaks with the right of the node in a directory, to that node alone: who can read
  /// the directory has the authority's key anyhow.
  ///
  /// Another node would take the command for the node, and answer that.
  public static func clusterFile(ofNode directory: String) throws(ServerError) -> ClusterFile {
    let disk = PosixDisk()
    let identity: NodeIdentity
    do throws(NodeError) {
      guard try NodeDirectory.kind(of: directory, on: disk) == .node else {
        throw .foreign(path: directory, words: "there is no node here")
      }
      identity = try NodeIdentity.read(from: directory, on: disk)
    } catch {
      throw .node(error)
    }
    let credentials = try NodeCredentials.load(from: directory, on: disk)
    do throws(TLSError) {
      return ClusterFile(
        cluster: identity.cluster, addresses: [reachable(identity.stored.listen) ?? identity.stored.address],
        authority: credentials.issuer.der, certificate: credentials.certificate.der,
        privateKey: try credentials.key.der())
    } catch {
      throw .tls(error)
    }
  }

  /// Where a node is reached on its own host that listens there.
  private static func reachable(_ listen: String) -> String? {
    guard let address = HostPort(parsing: listen, toListen: true) else { return nil }
    let loopback = ["0.0.0.0": "127.0.0.1", "::": "::1"]
    return "\(HostPort(host: loopback[address.host] ?? address.host, port: address.port))"
  }
}
