import Bytes
import Client
import Environment
import Glibc
import Node
import TLS
import Wire

/// The cryptography of enrolment by the system's libcrypto, and what this process knows of itself.
final class SystemAuthority: Authority {
  /// The node's own; another certificate takes its place when it is renewed.
  var credentials: NodeCredentials
  /// How long the certificates are valid that this node signs for nodes.
  private let nodeLifetimeSeconds: Int64
  private let startedAt: Moment
  private let clock = SystemClock()

  init(credentials: NodeCredentials, nodeLifetimeSeconds: Int64) {
    self.credentials = credentials
    self.nodeLifetimeSeconds = nodeLifetimeSeconds
    startedAt = clock.now
  }

  func digest(_ bytes: [UInt8]) -> [UInt8] {
    do {
      return try SHA256.digest(bytes)
    } catch {
      preconditionFailure("libcrypto has SHA-256: \(error)")
    }
  }

  func publicKey(inRequest request: [UInt8]) -> [UInt8]? {
    try? SigningRequest(der: request).publicKeyDER()
  }

  func reseal(_ sealedKey: [UInt8], to publicKey: [UInt8]) -> [UInt8]? {
    try? SealedBox.seal(SealedBox.open(sealedKey, with: credentials.key), to: publicKey)
  }

  func nodeCertificate(request: [UInt8], node: NodeID, by authority: SigningAuthority) -> SignedCertificate? {
    sign(request, .node(cluster: authority.cluster, id: node), .seconds(nodeLifetimeSeconds), by: authority)
  }

  func clientCertificate(
    request: [UInt8], name: String, role: String, lifetimeSeconds: UInt64, by authority: SigningAuthority
  ) -> SignedCertificate? {
    guard let role = PeerIdentity.Role(rawValue: role) else { return nil }
    let identity = PeerIdentity.client(cluster: authority.cluster, name: name, role: role)
    return sign(request, identity, .seconds(Int64(clamping: lifetimeSeconds)), by: authority)
  }

  func followingCertificate(
    request: [UInt8], identity: String, notAfter: UInt64, by authority: SigningAuthority
  ) -> SignedCertificate? {
    guard let identity = PeerIdentity(uri: identity), case .client = identity else { return nil }
    let validity = Validity(
      notBefore: Validity.now() - Validity.backdating, notAfter: Int64(clamping: notAfter))
    return sign(request, identity, validity, by: authority)
  }

  private func sign(
    _ request: [UInt8], _ identity: PeerIdentity, _ validity: Validity, by authority: SigningAuthority
  ) -> SignedCertificate? {
    do {
      let certificate = try opened(authority).sign(
        SigningRequest(der: request), identity: identity, validity: validity)
      return SignedCertificate(der: certificate.der, record: certificate.record)
    } catch {
      return nil
    }
  }

  private func opened(_ authority: SigningAuthority) throws -> CertificateAuthority {
    let key = try SealedBox.open(authority.sealedKey, with: credentials.key)
    return try CertificateAuthority(certificateDER: authority.certificate, keyDER: key)
  }

  func successor(of authority: SigningAuthority, members publicKeys: [[UInt8]]) -> SucceedingAuthority? {
    do {
      let (next, cross) = try opened(authority).successor()
      let key = try next.key.der()
      let sealed = try publicKeys.map { try SealedBox.seal(key, to: $0) }
      return SucceedingAuthority(certificate: next.certificate.der, cross: cross.der, sealedKeys: sealed)
    } catch {
      return nil
    }
  }

  func sign(_ message: [UInt8]) -> NodeSignature? {
    guard let signature = try? credentials.key.sign(message) else { return nil }
    return NodeSignature(
      signature: signature, certificate: credentials.certificate.der, authority: credentials.issuer.der)
  }

  func text(of token: WireJoinToken) -> String {
    JoinToken(
      cluster: token.cluster, pin: token.pin.array, secret: token.secret.array,
      addresses: Array(token.addresses.prefix(JoinToken.mostAddresses))
    ).encode()
  }

  func processStatus(into status: inout WireStatusResponse) {
    status.version = Release.version
    status.pid = UInt64(getpid())
    status.uptimeMs = clock.now.milliseconds(since: startedAt)
    status.residentBytes = SystemAuthority.residentBytes
    let validity = credentials.certificate.validity
    status.certificateExpires = UInt64(max(0, validity.notAfter))
    // Renewed after two thirds of its life; half of the rest is time enough.
    let now = Validity.now()
    if now > (validity.renewal + validity.notAfter) / 2 {
      let left = max(0, validity.notAfter - now)
      status.problems.append("its certificate ends in \(left / 3600) h \(left / 60 % 60) min and could not be renewed")
    }
  }

  /// The second field of /proc/self/statm, in pages (proc(5)).
  private static var residentBytes: UInt64 {
    let disk = PosixDisk()
    guard let file = try? disk.open("/proc/self/statm", .read), let bytes = try? file.read(at: 0, count: 256) else {
      return 0
    }
    let fields = String(decoding: bytes, as: UTF8.self).split(separator: " ")
    return fields.count > 1 ? (UInt64(fields[1]) ?? 0) * UInt64(sysconf(Int32(_SC_PAGESIZE))) : 0
  }
}

extension Certificate {
  /// What the catalog is to know of the certificate.
  var record: WireCertificate {
    .with {
      $0.serial = .init(serial)
      $0.identity = identity?.uri ?? ""
      $0.notBefore = UInt64(max(0, validity.notBefore))
      $0.notAfter = UInt64(max(0, validity.notAfter))
    }
  }
}
