import ArgumentParser
import Bytes
import Client
import Server
import Wire

/// `kv leave`: has a node leave the cluster for good.
struct LeaveCommand: Executable {
  static let configuration = CommandConfiguration(
    commandName: "leave", abstract: "Have a node leave for good, or declare it lost.")

  @OptionGroup var global: GlobalOptions

  @Option(
    name: [.short, .long], help: ArgumentHelp("The node whose directory this is.", valueName: "dir"),
    completion: .directory)
  var directory: ArgumentBytes?

  @Flag(help: "The node never comes back: replace what it held from the other nodes.")
  var lost = false

  @Flag(help: "With --lost: even though the node answers.")
  var force = false

  @Flag(help: "Let the node stay after all.")
  var cancel = false

  @Flag(help: "Return once the cluster has taken it in.")
  var noWait = false

  @Argument(help: ArgumentHelp("The node's number; kv status shows it.", valueName: "node"))
  var node: UInt32?

  mutating func validate() throws {
    if (node == nil) == (directory == nil) {
      throw ValidationError("say which node: by its number, or by its directory with -d")
    }
    if cancel, lost { throw ValidationError("--cancel and --lost exclude each other") }
    if force, !lost { throw ValidationError("--force goes with --lost") }
  }

  func execute(_ output: OutputStream) throws(CommandError) -> ExitCode {
    let began = ProcessFacts.steadyMilliseconds
    let number = try nodeNumber()
    let client = try global.client()
    var request = WireLeaveRequest()
    request.node = number
    request.isLost = lost
    request.force = force
    request.cancel = cancel
    let warnings = try askingByNumber { () throws(ClientError) in try client.leave(request) }
    for warning in warnings { StandardError.say("warning: \(warning)") }
    let state: String
    if cancel {
      state = "stays"
    } else if noWait {
      state = lost ? "lost" : "leaving"
    } else {
      tellOfAddresses(whereAre: try awaitRemoval(of: number, since: began))
      state = "left"
    }
    if global.json {
      var object = JSONObject()
      object.number("node", number)
      object.string("state", state)
      object.strings("warnings", warnings)
      try output.write(object.line)
    } else {
      global.say(state == "left" ? "node \(number) is a member no more" : "node \(number) \(words(state))")
    }
    if !cancel { tellOfClusterFile(in: number) }
    return .done
  }

  /// Whoever removes the directory of a node should know that the cluster file with which he asks lies there.
  private func tellOfClusterFile(in number: UInt32) {
    let environment = ProcessFacts.environment
    guard let path = try? ClusterFile.locate(explicit: global.cluster?.text, environment: environment) else { return }
    let directory = path.lastIndex(of: "/").map { String(path[..<$0]) } ?? "."
    guard (try? Server.nodeNumber(ofDirectory: directory)) == number else { return }
    global.say("the cluster file \(path) lies in that node's directory: copy it elsewhere before you remove that")
  }

  /// Whoever asks with a cluster file that names none of the members that are left should know that it is of no use on a
  /// machine which has not asked before.
  private func tellOfAddresses(whereAre members: [WireMember]) {
    let environment = ProcessFacts.environment
    guard let path = try? ClusterFile.locate(explicit: global.cluster?.text, environment: environment),
      let file = try? ClusterFile.load(path), !members.contains(where: { file.addresses.contains($0.address) })
    else { return }
    global.say("the cluster file \(path) names no member any more: kv cert renew writes it anew")
  }

  private func words(_ state: String) -> String {
    switch state {
    case "leaving": "is leaving; kv status shows how far it is"
    case "lost": "is declared lost; kv status shows how far its replicas are replaced"
    default: state
    }
  }

  private func nodeNumber() throws(CommandError) -> UInt32 {
    if let node { return node }
    guard let directory else { throw .usage("say which node") }
    do throws(ServerError) {
      return try Server.nodeNumber(ofDirectory: directory.text)
    } catch {
      throw .server(error)
    }
  }

  /// Waits until the node is a member no more: as long as it takes, unless --timeout says how long. Gives the members
  /// that are left.
  private func awaitRemoval(of node: UInt32, since began: UInt64) throws(CommandError) -> [WireMember] {
    let client = try global.client(longest: min(HealthWait.lookMilliseconds, global.timeoutMilliseconds / 4))
    var progress = ProgressLine(quiet: global.quiet)
    defer { progress.clear() }
    var first: UInt32?
    var left: UInt32?
    while true {
      do throws(CommandError) {
        let map = try asking { () throws(ClientError) in try client.map() }
        guard let member = map.members.first(where: { $0.id == node }) else { return map.members }
        guard member.departure > 0 else {
          throw CommandError.client(.refused("leave: somebody has had node \(node) stay after all"))
        }
        let replicas = member.replicas
        left = replicas
        let total = max(first ?? 0, replicas)
        first = total
        progress.show("node \(node): \(total - replicas) of \(total) replicas have found another place")
      } catch {
        guard case .client(let reason) = error, reason.mayPass else { throw error }
        progress.show("waiting: \(reason)")
      }
      if let timeout = global.timeout, ProcessFacts.steadyMilliseconds - began >= timeout.milliseconds {
        throw .notInTime(
          "node \(node) is not gone after \(timeout.defaultValueDescription): "
            + (left.map { "\($0) replicas are left on it" } ?? "how much is left on it nobody could say")
            + "; it goes on leaving, and the same command waits on")
      }
      ProcessFacts.sleep(milliseconds: 200)
    }
  }
}
