import ArgumentParser
import Client

/// What `status --wait` can wait for.
enum AwaitedState: String, CaseIterable, ExpressibleByArgument {
  /// Every member answers, every partition has a leader, all replicas are in place.
  case healthy
}

/// `kv status`: says how the cluster is.
struct StatusCommand: Executable {
  static let configuration = CommandConfiguration(
    commandName: "status", abstract: "Show the nodes of the cluster and what is wrong with it.")

  @OptionGroup var global: GlobalOptions

  @Flag(help: "Show it again every second, until interrupted.")
  var watch = false

  @Option(help: ArgumentHelp("Wait until the cluster is healthy, at most --timeout or 1m.", valueName: "state"))
  var wait: AwaitedState?

  mutating func validate() throws {
    if watch, wait != nil { throw ValidationError("--watch and --wait exclude each other") }
  }

  func execute(_ output: OutputStream) throws(CommandError) -> ExitCode {
    if watch { return try keepWatching(output) }
    if wait != nil { return try waitForHealth(output) }
    let client = try global.client()
    try print(StatusTable(try asking { () throws(ClientError) in try client.status() }), output)
    return .done
  }

  private func waitForHealth(_ output: OutputStream) throws(CommandError) -> ExitCode {
    let limit = global.timeout?.milliseconds ?? HealthWait.usualMilliseconds
    let deadline = ProcessFacts.steadyMilliseconds + limit
    var file = try awaitedClusterFile(until: deadline)
    let look = min(HealthWait.lookMilliseconds, Int(clamping: limit))
    let now = ProcessFacts.steadyMilliseconds
    var progress = ProgressLine(quiet: global.quiet)
    let table = try HealthWait.untilHealthy(
      global.client(of: file, timeoutMilliseconds: look), milliseconds: deadline > now ? deadline - now : 0,
      during: { (problem) throws(CommandError) in progress.show("waiting: \(problem)") },
      renewed: { () throws(CommandError) in
        // What a start that was cut off has left is there until the next one writes another.
        let present = try awaitedClusterFile(until: deadline)
        guard present != file else { return nil }
        file = present
        return global.client(of: file, timeoutMilliseconds: look)
      })
    progress.clear()
    try print(table, output)
    guard table.health.isHealthy else {
      let words = DurationArgument(milliseconds: limit).defaultValueDescription
      throw .notInTime("the cluster is not healthy after \(words): \(table.health.problems.joined(separator: "; "))")
    }
    return .done
  }

  /// The cluster file; one that is named and not there yet may still be made by a node that starts.
  private func awaitedClusterFile(until deadline: UInt64) throws(CommandError) -> ClusterFile {
    while true {
      do throws(CommandError) {
        return try global.clusterFile()
      } catch {
        guard case .clusterFile(.missing(let path, _)) = error else { throw error }
        guard ProcessFacts.steadyMilliseconds < deadline else { throw .notInTime("there is no cluster file \(path)") }
      }
      ProcessFacts.sleep(milliseconds: 50)
    }
  }

  private func keepWatching(_ output: OutputStream) throws(CommandError) -> ExitCode {
    let client = try global.client(longest: HealthWait.lookMilliseconds)
    while true {
      do throws(CommandError) {
        let table = StatusTable(try asking { () throws(ClientError) in try client.status() })
        if output.isTerminal, !global.json { try output.write("\u{1b}[H\u{1b}[J".utf8) }
        try print(table, output)
      } catch {
        guard case .client(let reason) = error, reason.mayPass else { throw error }
        StandardError.say("\(reason)")
      }
      try output.flush()
      ProcessFacts.sleep(milliseconds: 1000)
    }
  }

  private func print(_ table: StatusTable, _ output: OutputStream) throws(CommandError) {
    try output.write(global.json ? table.object.line : Array(table.text.utf8))
  }
}
