import Bytes
import Wire

// The certificates that the cluster's authority has signed: what an administrator may list and take back.
extension Catalog {
  /// Those that were signed, revoked ones among them; expired ones stay until the next is signed.
  var certificates: [WireCertificate] { state.certificates }

  /// The serial numbers of those that were revoked.
  var revokedSerials: [[UInt8]] { state.certificates.filter { $0.revokedMs > 0 }.map(\.serial.array) }

  /// Whether a certificate of this identity was revoked: it is to get no other without an administrator.
  func isRevoked(_ identity: String) -> Bool {
    state.certificates.contains { $0.identity == identity && $0.revokedMs > 0 }
  }

  /// How many certificates of this identity were not revoked.
  func unrevokedCount(of identity: String) -> Int {
    state.certificates.count { $0.identity == identity && $0.revokedMs == 0 }
  }

  mutating func add(_ certificate: WireCertificate) throws(Refusal) {
    // As tokens do, they end by the version's clock, the same on every replica; the lead makes sure that they have.
    let (now, lead) = (ceiling.milliseconds, Oracle.ceilingLeadMilliseconds)
    state.certificates.removeAll { now > lead && $0.notAfter < (now - lead) / 1000 }
    guard !certificate.serial.isEmpty else { throw .malformed("a certificate without a serial number") }
    guard state.certificates.count < Limits.certificates else {
      throw .tooMany("\(Limits.certificates) certificates are valid; revoked ones count until they expire")
    }
    state.certificates.append(certificate)
  }

  mutating func apply(_ revocation: WireCatalogCommand.CertificateRevocation) throws(Refusal) {
    for serial in revocation.serials {
      if let place = state.certificates.firstIndex(where: { $0.serial == serial }) {
        if state.certificates[place].revokedMs == 0 { state.certificates[place].revokedMs = revocation.wallMs }
      } else {
        // Not one that the catalog has seen: it may be valid as long as the authority is.
        try add(
          .with {
            $0.serial = serial
            $0.notAfter = revocation.wallMs / 1000 + Limits.longestCertificateSeconds
            $0.revokedMs = revocation.wallMs
          })
      }
    }
  }
}
