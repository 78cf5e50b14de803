import ArgumentParser
import Bytes
import Client
import Glibc
import Server
import TLS

/// What a client may do, on the command line.
enum RoleArgument: String, CaseIterable, ExpressibleByArgument {
  case reader, writer, admin

  var role: PeerIdentity.Role {
    switch self {
    case .reader: .reader
    case .writer: .writer
    case .admin: .admin
    }
  }
}

/// `kv cert issue`: a cluster file for another client.
struct CertIssueCommand: Executable {
  static let configuration = CommandConfiguration(
    commandName: "issue", abstract: "Make a cluster file with a certificate for a client.")

  @OptionGroup var global: GlobalOptions

  @Option(help: ArgumentHelp("What the client may do: reader, writer, admin.", valueName: "role"))
  var role: RoleArgument

  @Option(help: ArgumentHelp("How long the certificate lasts; 365d.", valueName: "duration"))
  var ttl = DurationArgument(milliseconds: 365 * 86_400_000)

  @Option(
    help: ArgumentHelp("The file to write; - prints it.", valueName: "file"), completion: .file())
  var to: ArgumentBytes

  @Option(
    help: ArgumentHelp("Ask the node whose directory this is, by its right, with no cluster file.", valueName: "dir"),
    completion: .directory)
  var directory: ArgumentBytes?

  @Argument(help: ArgumentHelp("The client's name: letters, digits, '.', '_', '-'.", valueName: "name"))
  var name: ArgumentBytes

  mutating func validate() throws {
    if directory != nil, global.cluster != nil { throw ValidationError("--directory excludes --cluster") }
    guard (1000...DurationArgument.longestCertificate).contains(ttl.milliseconds) else {
      throw ValidationError("--ttl takes a duration from 1s to 3650d")
    }
    guard PeerIdentity.isName(name.text) else {
      throw ValidationError("a name has 1 to 64 of letters, digits, '.', '_' and '-'")
    }
  }

  func execute(_ output: OutputStream) throws(CommandError) -> ExitCode {
    try refuseToReplace()
    let client = try asker()
    let file = try ClusterFile.made(at: to.bytes == Array("-".utf8) ? nil : to.text, output) {
      () throws(CommandError) in
      try asking { () throws(ClientError) in
        try client.issue(name: name.text, role: role.role, lifetimeSeconds: ttl.milliseconds / 1000)
      }
    }
    guard to.bytes != Array("-".utf8) else { return .done }
    if global.json {
      var object = try CertificateLine(own: file).object
      object.string("file", to.text)
      try output.write(object.line)
    } else {
      global.say("\(to.text) lets \(name.text) in as \(role.rawValue); it holds a private key")
    }
    return .done
  }
}

extension CertIssueCommand {
  /// What a file of this name holds may be somebody's only key, an administrator's even.
  private func refuseToReplace() throws(CommandError) {
    var facts = stat()
    guard stat(to.text, &facts) == 0, facts.st_mode & S_IFMT == S_IFREG, facts.st_size > 0,
      to.bytes != Array("-".utf8)
    else { return }
    throw .client(
      .refused(
        "\(to.text) is there already, and may hold a key that nobody else has: name another file, or remove it first"))
  }

  private func asker() throws(CommandError) -> Client {
    guard let directory else { return try global.client() }
    do throws(ServerError) {
      let file = try Server.clusterFile(ofNode: directory.text)
      return Client(file, timeoutMilliseconds: global.timeoutMilliseconds)
    } catch {
      throw .server(error)
    }
  }
}

extension ClusterFile {
  /// Has a file made, and writes it to a path or, without one, to the output: in this order, that the file can be written
  /// is known before the cluster is asked. It holds a private key: nobody else's to read, whatever was there before.
  static func made(
    at path: String?, _ output: OutputStream, _ make: () throws(CommandError) -> ClusterFile
  ) throws(CommandError) -> ClusterFile {
    guard let path else {
      let file = try make()
      try output.write(file.text.utf8)
      return file
    }
    try FileReplacement.restrict(path)
    var made: ClusterFile?
    _ = try FileReplacement.write(path, permissions: 0o600) { (part) throws(CommandError) in
      let file = try make()
      made = file
      try part.write(file.text.utf8)
      return .done
    }
    guard let made else { preconditionFailure("a file that was written was made") }
    return made
  }
}
