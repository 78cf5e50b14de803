import Bytes
import HashRing
import Node
import Wire

/// Enrolment without cryptography: in a simulated world nobody lies about who they are.
struct SimulatedAuthority: Authority {
  func digest(_ bytes: [UInt8]) -> [UInt8] {
    var writer = ByteWriter()
    for salt in UInt8(0)..<4 { writer.u64(Position(ofBytes: bytes + [salt]).rawValue) }
    return writer.bytes
  }

  func publicKey(inRequest request: [UInt8]) -> [UInt8]? { request }

  func reseal(_ sealedKey: [UInt8], to publicKey: [UInt8]) -> [UInt8]? { sealedKey }

  func nodeCertificate(request: [UInt8], node: NodeID, by authority: SigningAuthority) -> SignedCertificate? {
    signed(request, "kv://\(authority.cluster)/node/\(node)")
  }

  func clientCertificate(
    request: [UInt8], name: String, role: String, lifetimeSeconds: UInt64, by authority: SigningAuthority
  ) -> SignedCertificate? {
    signed(request, "kv://\(authority.cluster)/client/\(name)?role=\(role)")
  }

  func followingCertificate(
    request: [UInt8], identity: String, notAfter: UInt64, by authority: SigningAuthority
  ) -> SignedCertificate? {
    signed(request, identity)
  }

  func successor(of authority: SigningAuthority, members publicKeys: [[UInt8]]) -> SucceedingAuthority? {
    let next = digest(authority.certificate)
    return SucceedingAuthority(
      certificate: next, cross: next.reversed(), sealedKeys: publicKeys.map { _ in next })
  }

  private func signed(_ request: [UInt8], _ identity: String) -> SignedCertificate {
    SignedCertificate(
      der: request,
      record: .with {
        $0.serial = .init(digest(request).prefix(20))
        $0.identity = identity
        $0.notAfter = .max
      })
  }

  func sign(_ message: [UInt8]) -> NodeSignature? {
    NodeSignature(signature: digest(message), certificate: [], authority: [])
  }

  func text(of token: WireJoinToken) -> String { String(decoding: token.secret, as: UTF8.self) }

  func processStatus(into status: inout WireStatusResponse) {}
}
