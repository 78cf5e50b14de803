import FoundationEssentials
public import TLS
public import Wire

extension Client {
  /// Has the cluster's authority sign a certificate for a new key, and gives a cluster file for its holder. The key
  /// leaves this process in no other way. Needs the role admin.
  public func issue(name: String, role: PeerIdentity.Role, lifetimeSeconds: UInt64) throws(ClientError) -> ClusterFile {
    let (key, request) = try newKey()
    let asked = WireIssueRequest.with {
      $0.signingRequest = Data(request)
      $0.name = name
      $0.role = role.rawValue
      $0.lifetimeSeconds = lifetimeSeconds
    }
    let answer = try call(.issue(asked), Attempts("cert issue")) { body in
      if case .issue(let answer) = body { answer } else { nil }
    }
    let addresses = try map().members.map(\.address)
    return ClusterFile(
      cluster: file.cluster, addresses: addresses, authority: answer.authority.array,
      certificate: answer.certificate.array, privateKey: key)
  }

  private func newKey() throws(ClientError) -> (key: [UInt8], request: [UInt8]) {
    do throws(TLSError) {
      let key = try PrivateKey.generate()
      return (try key.der(), try SigningRequest(key: key).der)
    } catch {
      throw .internal("cert issue: \(error)")
    }
  }

  /// The certificates that the authority has signed and that have not expired. Needs the role admin.
  public func certificates() throws(ClientError) -> [WireCertificate] {
    try call(.certificates(WireCertificatesRequest()), Attempts("cert list")) { body in
      if case .certificates(let answer) = body { answer.certificates } else { nil }
    }
  }

  /// Revokes all certificates of an identity, and one by its serial number; either may be empty. Gives how many were
  /// not revoked before. Needs the role admin.
  public func revoke(identity: String, serial: [UInt8]) throws(ClientError) -> Int {
    let asked = WireRevokeRequest.with {
      $0.identity = identity
      $0.serial = Data(serial)
    }
    return try call(.revoke(asked), Attempts("cert revoke")) { body in
      if case .revoke(let answer) = body { Int(answer.count) } else { nil }
    }
  }
}
