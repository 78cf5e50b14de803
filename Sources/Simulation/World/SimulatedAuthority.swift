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

  func certificate(
    request: [UInt8], node: NodeID, cluster: String, sealedKey: [UInt8], authority: [UInt8]
  ) -> [UInt8]? { request }

  func sign(_ message: [UInt8]) -> (signature: [UInt8], certificate: [UInt8])? { (digest(message), []) }

  func text(of token: WireJoinToken) -> String { String(decoding: token.secret, as: UTF8.self) }

  func processStatus(into status: inout WireStatusResponse) {}
}
