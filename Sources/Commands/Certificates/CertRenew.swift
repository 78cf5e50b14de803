import ArgumentParser
import Bytes
import Client

/// `kv cert renew`: the same client with another key, under the cluster's present authority.
struct CertRenewCommand: Executable {
  static let configuration = CommandConfiguration(
    commandName: "renew", abstract: "Put another key and certificate of the same holder in the cluster file.")

  @OptionGroup var global: GlobalOptions

  @Option(
    help: ArgumentHelp("Another file to write in place of the cluster file; - prints it.", valueName: "file"),
    completion: .file())
  var to: ArgumentBytes?

  func execute(_ output: OutputStream) throws(CommandError) -> ExitCode {
    let path: String
    do throws(ClusterFileError) {
      path = try ClusterFile.locate(explicit: global.cluster?.text, environment: ProcessFacts.environment)
    } catch {
      throw .clusterFile(error)
    }
    let client = try global.client()
    let target = to?.text ?? path
    let isStream = to?.bytes == Array("-".utf8)
    let file = try ClusterFile.made(at: isStream ? nil : target, output) { () throws(CommandError) in
      try asking { () throws(ClientError) in try client.renewedFile() }
    }
    guard !isStream else { return .done }
    let line = try CertificateLine(own: file)
    if global.json {
      var object = line.object
      object.string("file", target)
      try output.write(object.line)
    } else {
      global.say("\(target) has another key and a certificate of the present authority for \(line.holder)")
    }
    return .done
  }
}
