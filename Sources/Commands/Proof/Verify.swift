import ArgumentParser
import Bytes
import Client
import Wire

/// `kv verify`: proves that the replicas of every partition hold the same, from what their disks hold.
struct VerifyCommand: Executable {
  static let configuration = CommandConfiguration(
    commandName: "verify", abstract: "Compare the replicas of every partition, and find damage.")

  @OptionGroup var global: GlobalOptions

  @Option(help: ArgumentHelp("Only this partition; may be given several times.", valueName: "number"))
  var partition: [UInt32] = []

  @Option(help: ArgumentHelp("Only keys that begin with this.", valueName: "prefix"))
  var prefix: ArgumentBytes?

  @Option(help: ArgumentHelp("Only what was there at a version or time: -5m, @SECONDS, RFC 3339.", valueName: "time"))
  var at: ArgumentBytes?

  @Option(
    help: ArgumentHelp("Note here which partitions are equal, and pass over those noted.", valueName: "file"),
    completion: .file())
  var resume: ArgumentBytes?

  @Option(help: ArgumentHelp("Let each node read at most so many bytes a second: 20M.", valueName: "bytes"))
  var rate: ByteCountArgument?

  @Flag(help: "Compare sums that are kept anyway, and read nothing.")
  var quick = false

  @Option(
    parsing: .singleValue,
    help: ArgumentHelp("Check this snapshot's file instead; again for changes after it.", valueName: "file"),
    completion: .file())
  var file: [ArgumentBytes] = []

  @Option(
    help: ArgumentHelp("Check a proof that kv get --proof printed; - for standard input.", valueName: "file"),
    completion: .file())
  var proof: ArgumentBytes?

  @Option(help: ArgumentHelp("The root that the proof must lead to; without it, a signed one.", valueName: "root"))
  var root: ArgumentBytes?

  mutating func validate() throws {
    let isOffline = !file.isEmpty || proof != nil
    if isOffline, quick || prefix != nil || at != nil || resume != nil || rate != nil || !partition.isEmpty {
      throw ValidationError("--file and --proof are about no cluster: they exclude its options")
    }
    if proof != nil, !file.isEmpty { throw ValidationError("--proof excludes --file") }
    if root != nil, proof == nil { throw ValidationError("--root goes with --proof") }
    if quick, resume != nil { throw ValidationError("--quick takes no time that --resume could save") }
    if quick, prefix != nil || at != nil { throw ValidationError("--quick excludes --prefix and --at") }
    if rate?.bytes == 0 { throw ValidationError("--rate takes a number of bytes above 0") }
    if quick, rate != nil { throw ValidationError("--quick reads nothing: it takes no --rate") }
  }

  func execute(_ output: OutputStream) throws(CommandError) -> ExitCode {
    if let proof { return try ProofCheck(root: root?.text, global: global).run(proof.text, output) }
    if !file.isEmpty { return try SnapshotVerification(global: global).run(file.map(\.text), output) }
    let moment = try at.map { (text) throws(CommandError) in try TimeArgument(parsing: text.text) }
    var check = PartitionCheck(client: try global.client())
    check.prefix = prefix?.bytes ?? []
    check.at = try moment?.version(asking: check.client)
    check.rate = rate?.bytes ?? 0
    check.isQuick = quick
    var checked = try resume.map { (path) throws(CommandError) in
      let cluster = try asking { () throws(ClientError) in try check.client.map() }.cluster
      return try CheckedPartitions(path: path.text, cluster: cluster, prefix: check.prefix, at: check.at)
    }
    let wanted = try check.partitions(partition)
    let groups = wanted.filter { checked?.equal.contains($0) != true }
    if groups.count < wanted.count {
      global.say("\(wanted.count - groups.count) of \(wanted.count) partitions were equal before")
    }
    var progress = CheckProgress(partitions: groups.count, quiet: global.quiet)
    var tally = CheckTally()
    // Quick ones cost nothing but the way; a rate is for one.
    var queue = CheckQueue(check, groups, ahead: quick ? groups.count : rate == nil ? PartitionCheck.ahead : 1)
    while let (group, result) = try queue.next(show: { progress.show($0, of: $1) }) {
      progress.next()
      progress.clear()
      tally.note(result, group)
      if tally.equal.last == group { try checked?.note(group) }
      try print(result, group, output)
      try output.flush()
    }
    if tally.exitCode == .done { checked?.remove() }
    tally.say(global)
    return tally.exitCode
  }

  private func print(_ result: PartitionCheck.Result, _ group: UInt32, _ output: OutputStream) throws(CommandError) {
    switch result {
    case .checked(let message, _):
      let report = CheckReport(message: message)
      if global.json { return try output.write(report.object(global.cluster?.text).line) }
      guard !global.quiet || report.outcome != .equal else { return }
      for line in report.text { try output.line(line) }
      if let repair = report.repairLine(global.cluster?.text) { try output.line("  repair: \(repair)") }
    case .damaged(let words): try print("damaged", words, group, output)
    case .failed(let words): try print("not checked", words, group, output)
    }
  }

  private func print(
    _ outcome: String, _ words: String, _ group: UInt32, _ output: OutputStream
  ) throws(CommandError) {
    guard global.json else { return try output.line("partition \(group): \(outcome.uppercased()): \(words)") }
    var object = JSONObject()
    object.number("partition", group)
    object.string("outcome", outcome)
    object.string("error", words)
    try output.write(object.line)
  }
}

/// What came of the checks of several partitions.
struct CheckTally {
  private(set) var equal: [UInt32] = []
  /// Those with something wrong, and those of them that a repair can mend.
  private(set) var damaged: [UInt32] = []
  private(set) var mendable: [UInt32] = []
  private(set) var notChecked: [UInt32] = []
  private var records: UInt64 = 0

  mutating func note(_ result: PartitionCheck.Result, _ group: UInt32) {
    let message: WireCheckReport
    switch result {
    case .checked(let report, _): message = report
    case .damaged: return damaged.append(group)
    case .failed: return notChecked.append(group)
    }
    switch CheckReport(message: message).outcome {
    case .equal:
      equal.append(group)
      records += message.replicas.first?.records ?? 0
    case .damaged:
      damaged.append(group)
      if !message.wrong.isEmpty { mendable.append(group) }
    case .notChecked: notChecked.append(group)
    }
  }

  /// Damage comes first; that something could not be checked is a failure too.
  var exitCode: ExitCode { damaged.isEmpty ? notChecked.isEmpty ? .done : .unavailable : .damage }

  /// Says how many could not be checked, if any.
  func sayNotChecked() {
    guard !notChecked.isEmpty else { return }
    StandardError.say(
      "\(notChecked.count) of \(equal.count + damaged.count + notChecked.count) partitions could not be checked on every "
        + "replica; `kv status` shows the cluster")
  }

  /// Says it all in a line or two.
  func say(_ global: GlobalOptions) {
    if !damaged.isEmpty {
      StandardError.say("damage in \(damaged.count) of \(equal.count + damaged.count + notChecked.count) partitions")
      if !mendable.isEmpty {
        StandardError.say("to mend it: \(CheckReport.repairLine(mendable, global.cluster?.text))")
      }
    }
    sayNotChecked()
    if damaged.isEmpty, notChecked.isEmpty {
      let found = records > 0 ? ": \(counted(records, "record"))" : ""
      global.say("\(counted(equal.count, "partition")) \(equal.count == 1 ? "is" : "are") equal\(found)")
    }
  }
}
