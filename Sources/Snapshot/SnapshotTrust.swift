public import Bytes
public import TLS
public import Table

/// Whose word a snapshot's file is.
public struct SnapshotTrust: Sendable {
  /// The node that signed.
  public let node: NodeID
  /// The certificate of the cluster's authority, as the file holds it.
  public let authority: Certificate

  /// Checks that the statement was signed by a node of the cluster that it names, with a certificate of the authority
  /// in the file. Whether that is the cluster's true authority, only somebody can say who knows it.
  public init(_ statement: SnapshotStatement, _ seal: SnapshotSeal, path: String) throws(SnapshotError) {
    func wrong(_ words: String) -> SnapshotError { .notSigned(path: path, words: words) }
    let certificate: Certificate
    do throws(TLSError) {
      certificate = try Certificate(der: seal.certificate)
      authority = try Certificate(der: seal.authority)
    } catch {
      throw wrong("\(error)")
    }
    guard authority.authorityOf == statement.cluster else {
      throw wrong(
        "the authority is of \(authority.authorityOf ?? "no cluster"), the records are of \(statement.cluster)")
    }
    guard certificate.isSigned(by: authority) else { throw wrong("the authority did not sign the node's certificate") }
    guard case .node(statement.cluster, let id) = certificate.identity else {
      throw wrong("the certificate is for \(certificate.identity.map { "\($0)" } ?? "nobody")")
    }
    guard certificate.verifies(seal.signature, of: statement.signedBytes) else {
      throw wrong("it is not of this statement")
    }
    node = id
  }
}
