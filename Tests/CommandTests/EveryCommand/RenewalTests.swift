import Bytes
import FoundationEssentials
import TLS
import Testing
import Wire

@testable import Client
@testable import Commands

@Suite("Renewing a certificate")
struct RenewalTests {
  @Test("a client renews its own and no other, whatever serial number it asks by", .timeLimit(.minutes(1)))
  func ownAlone() throws {
    let node = try OneNode()
    let path = "\(node.directory)/reader.kv"
    try node.kv(["cert", "issue", "reader", "--role", "reader", "--to", path])
    let admin = try Certificate(der: ClusterFile.load(node.clusterFile).certificate)
    let client = Client(try ClusterFile.load(path), timeoutMilliseconds: 10_000, stateDirectory: nil)
    let asked = WireReissueRequest.with {
      $0.signingRequest = Data((try? SigningRequest(key: PrivateKey.generate()).der) ?? [])
      $0.serial = Data(admin.serial)
    }
    let answer = try client.call(.reissue(asked), Attempts("cert renew")) { body in
      if case .issue(let answer) = body { answer } else { nil }
    }
    let certificate = try Certificate(der: answer.certificate.array)
    guard case .client(_, "reader", .reader) = certificate.identity else {
      Issue.record("a reader became \(String(describing: certificate.identity))")
      return
    }
  }
}
