import ArgumentParser
import Client
import Wire

/// `kv plan`: shows which replicas would move, and changes nothing unless a rate is given.
struct PlanCommand: Executable {
  static let configuration = CommandConfiguration(
    commandName: "plan", abstract: "Show which replicas would move, and why the best can't be had.")

  @OptionGroup var global: GlobalOptions

  @Option(help: ArgumentHelp("As if a node left; may be repeated.", valueName: "node"))
  var leave: [UInt32] = []

  @Option(help: ArgumentHelp("As if a node joined; may be repeated.", valueName: "zone[:weight]"))
  var join: [PlannedJoiner] = []

  @Option(
    help: ArgumentHelp(
      "Set how many bytes a second each node takes in of moving replicas: 20MiB; 0 for no limit.", valueName: "bytes"))
  var moveRate: ByteCountArgument?

  mutating func validate() throws {
    if moveRate != nil, !leave.isEmpty || !join.isEmpty {
      throw ValidationError("--move-rate changes a setting: it goes alone")
    }
    if let moveRate, moveRate.bytes > 0, moveRate.bytes < PlanCommand.leastRate {
      throw ValidationError("--move-rate takes 0 or at least 256KiB")
    }
  }

  private static let leastRate: UInt64 = 256 << 10

  func execute(_ output: OutputStream) throws(CommandError) -> ExitCode {
    let client = try global.client()
    if let moveRate {
      try asking { () throws(ClientError) in try client.limitMoves(bytesPerSecond: moveRate.bytes) }
      return .done
    }
    var request = WirePlanRequest()
    request.leave = leave
    request.join = join.map(\.wire)
    let plan = try askingByNumber { () throws(ClientError) in try client.plan(request) }
    let reports = try asking { () throws(ClientError) in try client.status() }
    let table = PlanTable(plan, reports)
    try output.write(global.json ? table.object.line : Array(table.text.utf8))
    return .done
  }
}
