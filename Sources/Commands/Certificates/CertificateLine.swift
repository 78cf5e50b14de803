import Bytes
import Client
import Snapshot
import TLS
import Wire

/// What is shown of one certificate.
struct CertificateLine {
  /// The serial number, in hexadecimal.
  let serial: String
  /// `node/3`, or `client/NAME`; empty where it isn't known.
  let holder: String
  /// What a client may do; empty for a node.
  let role: String
  /// Seconds since 1970.
  let expires: UInt64
  /// Milliseconds since 1970; 0: not revoked.
  let revokedMilliseconds: UInt64

  /// Whether it is of an authority that another is taking the place of.
  var isOfFormerAuthority = false
  /// Whether it is of a node that is a member no more: it is refused.
  var hasLeft = false

  /// A certificate as the catalog lists it, where so many authorities came before the one that signs now. `members` are
  /// the numbers of the nodes; empty where the cluster is of a release that doesn't name them.
  init(_ certificate: WireCertificate, authorityNumber: UInt32 = 0, members: [UInt32] = []) {
    self.init(
      serial: certificate.serial.array, identity: PeerIdentity(uri: certificate.identity),
      expires: certificate.notAfter, revokedMilliseconds: certificate.revokedMs)
    isOfFormerAuthority = certificate.authorityNumber < authorityNumber
    if !members.isEmpty, case .node(_, let id) = PeerIdentity(uri: certificate.identity) {
      hasLeft = !members.contains(id.rawValue)
    }
  }

  /// The certificate of a cluster file.
  init(own file: ClusterFile) throws(CommandError) {
    do throws(TLSError) {
      let certificate = try Certificate(der: file.certificate)
      self.init(
        serial: certificate.serial, identity: certificate.identity,
        expires: UInt64(max(0, certificate.validity.notAfter)), revokedMilliseconds: 0)
    } catch {
      throw .configuration("the certificate in the cluster file: \(error)")
    }
  }

  private init(serial: [UInt8], identity: PeerIdentity?, expires: UInt64, revokedMilliseconds: UInt64) {
    self.serial = hexadecimal(serial)
    switch identity {
    case .node(_, let id): (holder, role) = ("node/\(id)", "")
    case .client(_, let name, let role): (holder, self.role) = ("client/\(name)", role.rawValue)
    case nil: (holder, role) = ("", "")
    }
    self.expires = expires
    self.revokedMilliseconds = revokedMilliseconds
  }

  /// Whether it is good now.
  private var state: String {
    if revokedMilliseconds > 0 { return "revoked" }
    if hasLeft { return "left" }
    if expires < ProcessFacts.wallMilliseconds / 1000 { return "expired" }
    return isOfFormerAuthority ? "former" : "valid"
  }

  /// The cells of a line of text.
  var cells: [String] {
    [
      holder.isEmpty ? "-" : holder, role.isEmpty ? "-" : role, state,
      CivilTime.text(milliseconds: min(expires, CertificateLine.endOfTime) * 1000), serial,
    ]
  }

  /// The last second of the year 9999: what a certificate can say (RFC 5280 §4.1.2.5).
  private static let endOfTime: UInt64 = 253_402_300_799

  /// The head above the cells.
  static let head = ["HOLDER", "ROLE", "STATE", "EXPIRES", "SERIAL"]

  var object: JSONObject {
    var object = JSONObject()
    object.string("holder", holder)
    object.string("role", role)
    object.string("state", state)
    object.number("expires", expires)
    object.string("serial", serial)
    if revokedMilliseconds > 0 { object.number("revoked_ms", revokedMilliseconds) }
    return object
  }
}
