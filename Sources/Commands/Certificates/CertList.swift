import ArgumentParser
import Bytes
import Client

/// `kv cert list`: the certificates that the cluster's authority has signed.
struct CertListCommand: Executable {
  static let configuration = CommandConfiguration(
    commandName: "list", abstract: "List the certificates that the authority has signed, with what they are good for.")

  @OptionGroup var global: GlobalOptions

  func execute(_ output: OutputStream) throws(CommandError) -> ExitCode {
    let client = try global.client()
    let list = try asking { () throws(ClientError) in try client.certificates() }
    let lines = list.certificates.map {
      CertificateLine($0, authorityNumber: list.authorityNumber, members: list.members)
    }
    guard !global.json else {
      for line in lines { try output.write(line.object.line) }
      return .done
    }
    for line in TextTable.aligned([CertificateLine.head] + lines.map(\.cells)) { try output.line(line) }
    return .done
  }
}

/// `kv cert show`: whom a cluster file makes of its user.
struct CertShowCommand: Executable {
  static let configuration = CommandConfiguration(
    commandName: "show", abstract: "Show the certificate in the cluster file, without asking the cluster.")

  @OptionGroup var global: GlobalOptions

  func execute(_ output: OutputStream) throws(CommandError) -> ExitCode {
    let line = try CertificateLine(own: try global.clusterFile())
    guard !global.json else {
      try output.write(line.object.line)
      return .done
    }
    for text in TextTable.aligned([CertificateLine.head, line.cells]) { try output.line(text) }
    return .done
  }
}
