import Bytes
import Client
import Environment
import Node
import TLS
import Wire

/// Becoming a member: a key is made here, its certificate by the cluster.
enum Enrolment {
  /// Enrols and writes the directory. The token is spent when this returns. Where it was cut off before, the same token
  /// brings it to its end.
  static func enrol(
    _ token: JoinToken, listen: HostPort, address: String, _ options: ServeOptions, on disk: any Disk
  ) throws(ServerError) {
    let (key, isNew) = try key(of: options.directory, on: disk)
    let answer: WireEnrolResponse
    do {
      answer = try Client.enrol(
        token: token.encode(), signingRequest: try SigningRequest(key: key).der, address: address,
        zone: options.zone ?? "", weight: options.weight, format: NodeDirectory.format)
    } catch let error as ClientError {
      // Else the cluster may count on a node here.
      if isNew, error.isCertainRefusal {
        try onDirectory { () throws(NodeError) in try NodeDirectory.endJoining(options.directory, on: disk) }
      }
      throw .enrolment(error)
    } catch let error as TLSError {
      throw .tls(error)
    } catch {
      throw .identity(path: options.directory, words: "\(error)")
    }
    let node = NodeID(rawValue: answer.node)
    try credentials(answer, key: key, node: node, of: token).save(to: options.directory, on: disk)
    try onDirectory { () throws(NodeError) in
      try NodeDirectory.createMember(
        options.directory, on: disk, cluster: token.cluster, node: node, address: address, listen: "\(listen)",
        members: answer.members)
      try NodeDirectory.removeMarks(options.directory, on: disk)
    }
  }

  /// The key of a join that was cut off here, or a new one, which the directory keeps from here on.
  private static func key(of directory: String, on disk: any Disk) throws(ServerError) -> (PrivateKey, isNew: Bool) {
    do {
      if let kept = try NodeDirectory.joiningKey(directory, on: disk) { return (try PrivateKey(der: kept), false) }
      let key = try PrivateKey.generate()
      try NodeDirectory.beginJoining(directory, key: try key.der(), on: disk)
      return (key, true)
    } catch let error as NodeError {
      throw .node(error)
    } catch let error as TLSError {
      throw .tls(error)
    } catch {
      throw .identity(path: directory, words: "\(error)")
    }
  }

  private static func onDirectory(_ body: () throws(NodeError) -> Void) throws(ServerError) {
    do throws(NodeError) { try body() } catch { throw .node(error) }
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

extension ClientError {
  /// Whether the cluster has said no, and knows nothing of a node that asked.
  fileprivate var isCertainRefusal: Bool {
    switch self {
    case .refused, .notThisCluster, .invalid: true
    default: false
    }
  }
}
