import ArgumentParser
import Bytes
import Client
import Glibc
import Server

/// `kv recover`: goes on with one node where a quorum is lost for ever.
struct RecoverCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "recover", abstract: "Go on with one node's directory where the others are lost for ever.",
    subcommands: [RecoverPlanCommand.self, RecoverApplyCommand.self, RecoverVerifyCommand.self])

  func run() throws {
    throw ValidationError("expected plan, apply or verify")
  }
}

/// The options of its steps.
struct RecoverOptions: ParsableArguments {
  @Option(
    name: [.short, .long], help: ArgumentHelp("The directory of the stopped node.", valueName: "dir"),
    completion: .directory)
  var directory: ArgumentBytes
}

/// From where else the cluster may go on.
struct RecoverSources: ParsableArguments {
  @Option(
    name: .customLong("from"),
    help: ArgumentHelp("Another stopped node's directory, for what this one lacks; may be repeated.", valueName: "dir"),
    completion: .directory)
  var others: [ArgumentBytes] = []

  @Option(
    help: ArgumentHelp(
      "A partition of which nothing is left, to begin anew, empty; may be repeated.", valueName: "partition"))
  var without: [UInt32] = []

  @Flag(help: "Go on with what is left where a log has lost something, or tables are damaged.")
  var acceptLoss = false

  @Flag(help: "Don't read the tables, which takes its time where they are large.")
  var quick = false

  /// Reads what is given.
  func stopped(_ directory: String) throws(CommandError) -> StoppedNode {
    let offline = try Commands.stopped(
      directory, others.map(\.text), without, acceptsLoss: acceptLoss, readsTables: !quick)
    let known = offline.recovery.groups.map(\.group.rawValue)
    guard !without.contains(0) else { throw .usage("the catalog is no partition: nothing goes on without it") }
    if let stranger = without.first(where: { !known.contains($0) }) {
      throw .usage("there is no partition \(stranger)")
    }
    return offline
  }
}

/// `kv recover plan`: what would be done, and what may be lost.
struct RecoverPlanCommand: Executable {
  static let configuration = CommandConfiguration(
    commandName: "plan", abstract: "Say what a stopped node's directory holds, and what would be lost.")

  @OptionGroup var global: GlobalOptions
  @OptionGroup var options: RecoverOptions
  @OptionGroup var sources: RecoverSources

  func execute(_ output: OutputStream) throws(CommandError) -> ExitCode {
    let offline = try sources.stopped(options.directory.text)
    let report = RecoveryReport(offline.recovery)
    try report.print(global.json, output)
    let reachable = offline.reachable(timeoutMilliseconds: global.timeoutMilliseconds)
    return report.verdict(reachable: reachable, global)
  }
}

/// `kv recover apply`: does it.
struct RecoverApplyCommand: Executable {
  static let configuration = CommandConfiguration(
    commandName: "apply", abstract: "Make a stopped node the only one of its cluster.")

  @OptionGroup var global: GlobalOptions
  @OptionGroup var options: RecoverOptions
  @OptionGroup var sources: RecoverSources

  @Flag(help: "Don't ask.")
  var yes = false

  func execute(_ output: OutputStream) throws(CommandError) -> ExitCode {
    let offline = try sources.stopped(options.directory.text)
    let report = RecoveryReport(offline.recovery)
    if !global.quiet { try report.print(global.json, output) }
    try output.flush()
    let verdict = report.verdict(reachable: offline.reachable(timeoutMilliseconds: global.timeoutMilliseconds), global)
    guard verdict == .done else { return verdict }
    guard !offline.recovery.isDone else { return .done }
    guard yes || Self.isConfirmed() else {
      throw .usage("nothing was done: --yes says that the other nodes are lost for ever")
    }
    try onServer { () throws(ServerError) in try offline.apply() }
    global.say(
      "node \(offline.recovery.node) is the only one of \(offline.recovery.cluster) now; next:"
        + " kv recover verify -d \(options.directory.text), then kv serve -d \(options.directory.text)")
    return .done
  }

  private static func isConfirmed() -> Bool {
    guard isatty(STDIN_FILENO) == 1, StandardError.isTerminal else { return false }
    StandardError.write("The other nodes must never start again with their old directories. Type yes to go on: ")
    return readLine() == "yes"
  }
}

/// `kv recover verify`: whether it was done.
struct RecoverVerifyCommand: Executable {
  static let configuration = CommandConfiguration(
    commandName: "verify", abstract: "Check that a stopped node's directory goes on alone.")

  @OptionGroup var global: GlobalOptions
  @OptionGroup var options: RecoverOptions

  func execute(_ output: OutputStream) throws(CommandError) -> ExitCode {
    let offline = try stopped(options.directory.text)
    let recovery = offline.recovery
    try RecoveryReport(recovery).print(global.json, output)
    guard recovery.isDone, recovery.obstacles.isEmpty else {
      StandardError.say("not recovered: kv recover apply -d \(options.directory.text)")
      return .damage
    }
    return .done
  }
}

/// Reads a stopped node's directory.
private func stopped(
  _ directory: String, _ others: [String] = [], _ without: [UInt32] = [], acceptsLoss: Bool = false,
  readsTables: Bool = false
) throws(CommandError) -> StoppedNode {
  let places = ([directory] + others).map(canonical)
  guard Set(places).count == places.count else { throw .usage("one directory is given twice") }
  return try onServer { () throws(ServerError) in
    try StoppedNode(
      directory, others: others, without: without, acceptsLoss: acceptsLoss, readsTables: readsTables)
  }
}

/// The path without links and dots, where there is something.
private func canonical(_ path: String) -> String {
  // SAFETY: what realpath(3) gives is a string of ours, until it is freed.
  guard let real = realpath(path, nil) else { return path }
  defer { free(real) }
  return String(cString: real)
}

private func onServer<Result>(_ body: () throws(ServerError) -> Result) throws(CommandError) -> Result {
  do throws(ServerError) {
    return try body()
  } catch {
    throw .server(error)
  }
}
