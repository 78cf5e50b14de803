import Bytes
import Client
import Environment
import Glibc
import Node
import TLS
import Wire

/// The cryptography of enrolment by the system's libcrypto, and what this process knows of itself.
final class SystemAuthority: Authority {
  private let credentials: NodeCredentials
  private let startedAt: Moment
  private let clock = SystemClock()

  init(credentials: NodeCredentials) {
    self.credentials = credentials
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

  func certificate(
    request: [UInt8], node: NodeID, cluster: String, sealedKey: [UInt8], authority: [UInt8]
  ) -> [UInt8]? {
    do {
      let key = try SealedBox.open(sealedKey, with: credentials.key)
      let authority = try CertificateAuthority(certificateDER: authority, keyDER: key)
      return try authority.sign(SigningRequest(der: request), identity: .node(cluster: cluster, id: node)).der
    } catch {
      return nil
    }
  }

  func sign(_ message: [UInt8]) -> (signature: [UInt8], certificate: [UInt8])? {
    guard let signature = try? credentials.key.sign(message) else { return nil }
    return (signature, credentials.certificate.der)
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
    status.certificateExpires = UInt64(max(0, credentials.certificate.validity.notAfter))
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
