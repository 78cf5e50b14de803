import Bytes
import Client
import Environment
import Node
import TLS
import Wire

/// Becoming a member: a key is made here, its certificate by the cluster.
enum Enrolment {
  /// Enrols and writes the directory. The token is spent when this returns.
  static func enrol(
    _ token: JoinToken, listen: HostPort, address: String, _ options: ServeOptions, on disk: any Disk
  ) throws(ServerError) {
    let key: PrivateKey
    let request: [UInt8]
    do throws(TLSError) {
      key = try PrivateKey.generate()
      request = try SigningRequest(key: key).der
    } catch {
      throw .tls(error)
    }
    let answer: WireEnrolResponse
    do throws(ClientError) {
      answer = try Client.enrol(
        token: token.encode(), signingRequest: request, address: address, zone: options.zone ?? "",
        weight: options.weight,
        format: NodeDirectory.format)
    } catch {
      throw .enrolment(error)
    }
    let node = NodeID(rawValue: answer.node)
    try credentials(answer, key: key, node: node, of: token).save(to: options.directory, on: disk)
    do throws(NodeError) {
      try NodeDirectory.createMember(
        options.directory, on: disk, cluster: token.cluster, node: node, address: address, listen: "\(listen)",
        members: answer.members)
    } catch {
      throw .node(error)
    }
  }

  /// The certificate must be for this cluster and the node that the answer names: else it is not ours to use.
  private static func credentials(
    _ answer: WireEnrolResponse, key: PrivateKey, node: NodeID, of token: JoinToken
  ) throws(ServerError) -> NodeCredentials {
    do throws(TLSError) {
      let certificate = try Certificate(der: answer.certificate.array)
      guard certificate.identity == .node(cluster: token.cluster, id: node) else {
        throw .invalid("the certificate is for \(certificate.identity.map { "\($0)" } ?? "nobody")")
      }
      return NodeCredentials(
        key: key, certificate: certificate,
        trust: answer.hasTrust
          ? try NodeTrust(answer.trust) : NodeTrust(try Certificate(der: answer.authority.array)))
    } catch {
      throw .tls(error)
    }
  }
}
