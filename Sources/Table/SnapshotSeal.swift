import Bytes

/// What makes a table a snapshot's file: a statement on its content, and the cluster's signature under it.
public struct SnapshotSeal: Equatable, Sendable {
  /// `SnapshotStatement`, encoded.
  public var statement: [UInt8]
  /// The signature of the statement.
  public var signature: [UInt8]
  /// The certificate of the node that signed, DER.
  public var certificate: [UInt8]
  /// The certificate of the authority that signed that one, DER.
  public var authority: [UInt8]

  /// A seal of these parts.
  public init(statement: [UInt8], signature: [UInt8], certificate: [UInt8], authority: [UInt8]) {
    self.statement = statement
    self.signature = signature
    self.certificate = certificate
    self.authority = authority
  }

  /// A statement as people read it.
  static func text(ofStatement bytes: [UInt8]) -> String {
    guard let statement = try? SnapshotStatement(decoding: bytes) else { return "that can't be read" }
    let since = statement.since.map { ", changes after \($0)" } ?? ""
    return "of \(statement.cluster) at version \(statement.version)\(since)"
  }
}
