import ArgumentParser
import Bytes
import Client
import Snapshot
import TLS
import Wire

/// `kv cert rotate`: another authority in the place of the cluster's.
struct CertRotateCommand: Executable {
  static let configuration = CommandConfiguration(
    commandName: "rotate", abstract: "Replace the cluster's authority; while it is under way, show who is behind.")

  @OptionGroup var global: GlobalOptions

  @Flag(help: "Believe the former authority no more.")
  var finish = false

  @Flag(help: "With --finish: although certificates of the former authority are in use.")
  var force = false

  mutating func validate() throws {
    guard finish || !force else { throw ValidationError("--force goes with --finish") }
  }

  func execute(_ output: OutputStream) throws(CommandError) -> ExitCode {
    let client = try global.client()
    let own = try CertificateLine(own: try global.clusterFile())
    let state = try asking { () throws(ClientError) in try client.rotateAuthority(finish: finish, force: force) }
    let name: String
    do throws(TLSError) {
      name = hexadecimal(try Certificate(der: state.authority.array).sha256())
    } catch {
      throw .client(.internal("cert rotate: the answer's authority: \(error)"))
    }
    let behind = state.behind.map { CertificateLine($0, authorityNumber: .max) }
    if global.json {
      var object = JSONObject()
      object.string("authority", name)
      object.boolean("rotating", state.beganMs > 0)
      if state.beganMs > 0 { object.number("began_ms", state.beganMs) }
      object.objects("behind", behind.map(\.object))
      try output.write(object.line)
      return .done
    }
    try output.line("authority \(name)")
    if !behind.isEmpty {
      for line in TextTable.aligned([CertificateLine.head] + behind.map(\.cells)) { try output.line(line) }
    }
    global.say(state.beganMs > 0 ? CertRotateCommand.advice(behind) : CertRotateCommand.farewell(behind, own: own))
    return .done
  }

  /// What the end of a rotation means for those whom it shuts out.
  private static func farewell(_ shutOut: [CertificateLine], own: CertificateLine) -> String {
    var words = ["nothing else is believed"]
    guard !shutOut.isEmpty else { return words[0] }
    let holders = Set(shutOut.map(\.holder))
    words.append("these certificates are shut out")
    if holders.contains(where: { $0.hasPrefix("node/") }) {
      words.append("such a node can't come back: kv leave --lost, and let its machine join anew")
    }
    if holders.contains(where: { $0.hasPrefix("client/") }) { words.append("kv cert issue makes another file") }
    if shutOut.contains(where: { $0.serial == own.serial }) {
      words.append("this command's own is among them: kv cert issue --directory, on a node's machine, makes another")
    }
    return words.joined(separator: "; ")
  }

  private static func advice(_ behind: [CertificateLine]) -> String {
    guard !behind.isEmpty else {
      return "the former authority is believed as well; nobody needs it: kv cert rotate --finish ends it"
    }
    let clients = behind.contains { $0.holder.hasPrefix("client/") }
    return "the former authority is believed as well, until kv cert rotate --finish; nodes follow by themselves"
      + (clients ? "; each client with kv cert renew" : "")
  }
}
