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

  func nodeCertificate(
    request: [UInt8], node: NodeID, cluster: String, sealedKey: [UInt8], authority: [UInt8]
  ) -> SignedCertificate? {
    signed(request, "kv://\(cluster)/node/\(node)")
  }

  func clientCertificate(
    request: [UInt8], name: String, role: String, lifetimeSeconds: UInt64, cluster: String, sealedKey: [UInt8],
    authority: [UInt8]
  ) -> SignedCertificate? {
    signed(request, "kv://\(cluster)/client/\(name)?role=\(role)")
  }

  private func signed(_ request: [UInt8], _ identity: String) -> SignedCertificate {
    SignedCertificate(
      der: request,
      record: .with {
        $0.serial = .init(digest(request))
        $0.identity = identity
        $0.notAfter = .max
      })
  }

  func sign(_ message: [UInt8]) -> (signature: [UInt8], certificate: [UInt8])? { (digest(message), []) }

  func text(of token: WireJoinToken) -> String { String(decoding: token.secret, as: UTF8.self) }

  func processStatus(into status: inout WireStatusResponse) {}
}
