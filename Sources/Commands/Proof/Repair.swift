import ArgumentParser
import Bytes
import Client
import Glibc
import Wire

/// `kv repair`: replaces replicas that are damaged or hold something else than a majority.
struct RepairCommand: Executable {
  static let configuration = CommandConfiguration(
    commandName: "repair", abstract: "Replace damaged replicas by copies of sound ones.")

  @OptionGroup var global: GlobalOptions

  @Option(help: ArgumentHelp("Only this partition; may be given several times.", valueName: "number"))
  var partition: [UInt32] = []

  @Flag(help: "Say what would be done, and do nothing.")
  var plan = false

  @Flag(help: "Do it without asking.")
  var yes = false

  @Option(help: ArgumentHelp("Let each node read at most so many bytes a second: 20M.", valueName: "bytes"))
  var rate: ByteCountArgument?

  mutating func validate() throws {
    if rate?.bytes == 0 { throw ValidationError("--rate takes a number of bytes above 0") }
    if plan, yes { throw ValidationError("--plan and --yes exclude each other") }
  }

  func execute(_ output: OutputStream) throws(CommandError) -> ExitCode {
    let asks = !plan && !yes
    guard !asks || isatty(STDIN_FILENO) == 1 && StandardError.isTerminal else {
      throw .usage("a repair without a terminal to ask at takes --yes; --plan shows what it would do")
    }
    var check = PartitionCheck(client: try global.client())
    check.rate = rate?.bytes ?? 0
    var tally = CheckTally()
    var repairs: [PartitionRepair] = []
    let groups = try check.partitions(partition)
    var progress = CheckProgress(partitions: groups.count, quiet: global.quiet)
    var queue = CheckQueue(check, groups, ahead: rate == nil ? PartitionCheck.ahead : 1)
    while let (group, result) = try queue.next(show: { progress.show($0, of: $1) }) {
      progress.next()
      progress.clear()
      tally.note(result, group)
      try show(result, group, output)
      if case .checked(let report, let number) = result, !report.wrong.isEmpty {
        repairs.append(PartitionRepair(check: check, report: report, number: number))
      }
    }
    tally.sayNotChecked()
    guard !repairs.isEmpty else {
      if tally.exitCode == .done { global.say("there is nothing to repair") }
      return tally.exitCode
    }
    guard !plan, yes || confirms() else { return .damage }
    return try carryOut(repairs, tally, output)
  }

  private func carryOut(
    _ repairs: [PartitionRepair], _ tally: CheckTally, _ output: OutputStream
  ) throws(CommandError) -> ExitCode {
    var left = tally.damaged.count - repairs.count
    let limit = global.timeout?.milliseconds ?? PartitionRepair.usualMilliseconds
    for repair in repairs {
      let outcome = try repair.run(milliseconds: limit, quiet: global.quiet)
      if !outcome.isMended { left += 1 }
      if global.json {
        try output.write(outcome.object.line)
      } else {
        for line in outcome.text { try output.line(line) }
      }
      try output.flush()
    }
    if left > 0 {
      StandardError.say("\(left) \(left == 1 ? "partition is" : "partitions are") still damaged")
      return .damage
    }
    return tally.notChecked.isEmpty ? .done : .unavailable
  }

  /// Shows what is wrong with a partition, and what would be done about it.
  private func show(_ result: PartitionCheck.Result, _ group: UInt32, _ output: OutputStream) throws(CommandError) {
    let message: WireCheckReport
    switch result {
    case .checked(let report, _): message = report
    case .damaged(let words): return StandardError.say("partition \(group) is damaged, and was not compared: \(words)")
    case .failed(let words): return StandardError.say("partition \(group) could not be checked: \(words)")
    }
    let report = CheckReport(message: message)
    guard report.outcome != .equal else { return }
    if global.json { return try output.write(report.object(global.cluster?.text).line) }
    for line in report.text { try output.line(line) }
    for wrong in message.wrong {
      let sources = message.replicas.filter { $0.outcome == .equal }.map { CheckReport.node($0.replica) }
      try output.line(
        "  plan: replace the replica on \(CheckReport.node(wrong)) by a copy from \(sources.joined(separator: " or ")); "
          + "its files stay on the node, set aside")
    }
    try output.flush()
  }

  private func confirms() -> Bool {
    StandardError.write("kv: do this? [y/N] ")
    return readLine().map { ["y", "yes"].contains($0.lowercased()) } ?? false
  }
}
