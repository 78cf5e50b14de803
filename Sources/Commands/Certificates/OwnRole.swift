import Bytes
import Client
import TLS

extension GlobalOptions {
  /// Refuses at once what the cluster would refuse to the certificate of the cluster file, which names its holder's role.
  /// `what` is the command in a word or two.
  func requireAdmin(_ what: String) throws(CommandError) {
    let own = try CertificateLine(own: try clusterFile())
    guard [PeerIdentity.Role.reader, .writer].contains(where: { $0.rawValue == own.role }) else { return }
    throw .client(
      .refused(
        "\(what): \(own.holder) has the role \(own.role), and this needs the role admin: name an administrator's cluster"
          + " file with --cluster"))
  }
}
