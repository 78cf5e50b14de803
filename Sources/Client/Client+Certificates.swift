import FoundationEssentials
public import TLS
public import Wire

extension Client {
  /// Has the cluster's authority sign a certificate for a new key, and gives a cluster file for its holder. The key
  /// leaves this process in no other way. Needs the role admin.
  public func issue(name: String, role: PeerIdentity.Role, lifetimeSeconds: UInt64) throws(ClientError) -> ClusterFile {
    try newFile("cert issue") { request in
      .issue(
        .with {
          $0.signingRequest = Data(request)
          $0.name = name
          $0.role = role.rawValue
          $0.lifetimeSeconds = lifetimeSeconds
        })
    }
  }

  /// A cluster file for the same holder, with another key and a certificate of the cluster's present authority that
  /// ends when the present one does. The key leaves this process in no other way.
  public func renewedFile() throws(ClientError) -> ClusterFile {
    try newFile("cert renew") { request in .reissue(.with { $0.signingRequest = Data(request) }) }
  }

  /// A cluster file with a new key and the certificate that the cluster gives for it.
  private func newFile(
    _ what: String, _ asked: ([UInt8]) -> WireRequest.OneOf_Body
  ) throws(ClientError) -> ClusterFile {
    let (key, request) = try newKey(what)
    let answer = try call(asked(request), Attempts(what)) { body in
      if case .issue(let answer) = body { answer } else { nil }
    }
    return ClusterFile(
      cluster: file.cluster, addresses: try map().members.map(\.address), authority: answer.authority.array,
      pastAuthorities: answer.pastAuthorities.map(\.array), certificate: answer.certificate.array, privateKey: key)
  }

  /// Has another authority take the place of the cluster's, or, with `finish`, the former be believed no more. Asked
  /// where there is nothing to do, it says how things stand. Needs the role admin.
  public func rotateAuthority(finish: Bool, force: Bool) throws(ClientError) -> WireRotateResponse {
    let asked = WireRotateRequest.with {
      $0.finish = finish
      $0.force = force
    }
    return try call(.rotate(asked), Attempts("cert rotate")) { body in
      if case .rotate(let answer) = body { answer } else { nil }
    }
  }

  private func newKey(_ what: String) throws(ClientError) -> (key: [UInt8], request: [UInt8]) {
    do throws(TLSError) {
      let key = try PrivateKey.generate()
      return (try key.der(), try SigningRequest(key: key).der)
    } catch {
      throw .internal("\(what): \(error)")
    }
  }

  /// The certificates that the authority has signed; expired ones stay until it signs the next. Needs the role admin.
  public func certificates() throws(ClientError) -> WireCertificatesResponse {
    try call(.certificates(WireCertificatesRequest()), Attempts("cert list")) { body in
      if case .certificates(let answer) = body { answer } else { nil }
    }
  }

  /// Revokes all certificates of an identity, and one by its serial number; either may be empty. Gives how many were
  /// not revoked before. With `force` also a node's without which partitions have no majority. Needs the role admin.
  public func revoke(identity: String, serial: [UInt8], force: Bool = false) throws(ClientError) -> Int {
    let asked = WireRevokeRequest.with {
      $0.force = force
      $0.identity = identity
      $0.serial = Data(serial)
    }
    return try call(.revoke(asked), Attempts("cert revoke")) { body in
      if case .revoke(let answer) = body { Int(answer.count) } else { nil }
    }
  }
}
