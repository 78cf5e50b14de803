import Bytes
import Environment
import Node
import TLS
import Wire

/// Whom a node believes: the cluster's authority, and while that is being replaced the former one too.
struct NodeTrust: Sendable {
  /// Rises with every change.
  let generation: UInt32
  let authority: Certificate
  let former: Certificate?
  /// The authority's key in a certificate that the former has signed.
  let cross: Certificate?

  /// One authority, as in a new cluster.
  init(_ authority: Certificate) {
    generation = 0
    self.authority = authority
    former = nil
    cross = nil
  }

  /// What the catalog, or an answer to a joiner, says.
  init(_ wire: WireTrust) throws(TLSError) {
    generation = wire.generation
    authority = try Certificate(der: wire.authority.array)
    former = wire.former.isEmpty ? nil : try Certificate(der: wire.former.array)
    cross = wire.cross.isEmpty ? nil : try Certificate(der: wire.cross.array)
  }

  private var wire: WireTrust {
    .with {
      $0.generation = generation
      $0.authority = .init(authority.der)
      if let former { $0.former = .init(former.der) }
      if let cross { $0.cross = .init(cross.der) }
    }
  }
}

// The file `identity/trust`, which is there once an authority was replaced, and `identity/ca.crt`, the authority alone.
extension NodeTrust {
  func save(to directory: String, on disk: any Disk) throws(DiskError) {
    if generation > 0 { try disk.replace(NodeCredentials.path(directory, "trust"), with: wire.encoded) }
    try disk.replace(NodeCredentials.path(directory, "ca.crt"), with: authority.der)
  }

  static func load(
    from directory: String, on disk: any Disk, _ read: (String) throws(ServerError) -> [UInt8]
  ) throws(ServerError) -> NodeTrust {
    let isReplaced = disk.exists(NodeCredentials.path(directory, "trust"))
    let bytes = try read(isReplaced ? "trust" : "ca.crt")
    do throws(TLSError) {
      guard isReplaced else { return NodeTrust(try Certificate(der: bytes)) }
      guard let wire = WireTrust(untrusted: bytes) else { throw .malformed("the file trust") }
      return try NodeTrust(wire)
    } catch {
      throw NodeCredentials.unusable(directory + "/identity", "\(error)")
    }
  }
}
