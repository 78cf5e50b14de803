import ArgumentParser

/// `kv cert`: the certificates by which nodes and clients know each other.
struct CertCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "cert", abstract: "List, issue and revoke certificates.",
    subcommands: [CertListCommand.self, CertShowCommand.self, CertIssueCommand.self, CertRevokeCommand.self])

  func run() throws {
    throw ValidationError("expected list, show, issue or revoke")
  }
}
