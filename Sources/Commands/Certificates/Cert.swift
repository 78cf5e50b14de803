import ArgumentParser

/// `kv cert`: the certificates by which nodes and clients know each other.
struct CertCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "cert", abstract: "List, issue, renew and revoke certificates, and replace the authority.",
    subcommands: [
      CertListCommand.self, CertShowCommand.self, CertIssueCommand.self, CertRenewCommand.self,
      CertRevokeCommand.self, CertRotateCommand.self,
    ])

  func run() throws {
    throw ValidationError("expected list, show, issue, renew, revoke or rotate")
  }
}
