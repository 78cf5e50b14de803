import ArgumentParser
import Client
import Wire

/// `kv split`: cuts a partition's arc of the ring in half.
struct SplitCommand: Executable {
  static let configuration = CommandConfiguration(
    commandName: "split", abstract: "Cut a partition in half: the largest, a given one, or all.")

  @OptionGroup var global: GlobalOptions

  @Flag(help: "Every partition, one after the other.")
  var all = false

  @Flag(help: "Return once the cluster has taken it in.")
  var noWait = false

  @Argument(help: ArgumentHelp("The partition; without it the one with the most bytes.", valueName: "partition"))
  var partition: UInt32?

  mutating func validate() throws {
    if all, partition != nil { throw ValidationError("--all and a partition exclude each other") }
  }

  func execute(_ output: OutputStream) throws(CommandError) -> ExitCode {
    let client = try global.client()
    let map = try asking { () throws(ClientError) in try client.map() }
    var progress = ProgressLine(quiet: global.quiet)
    let chosen = try choose(among: map.partitions, client)
    for (place, part) in chosen.enumerated() {
      progress.show("\(place) of \(chosen.count) partitions are split")
      let child = try split(part, client)
      progress.clear()
      if global.json {
        var object = JSONObject()
        object.number("partition", part.group)
        object.number("child", child)
        try output.write(object.line)
      } else {
        try output.line("\(part.group)\t\(child)")
      }
      try output.flush()
    }
    return .done
  }

  private func choose(
    among partitions: [WireMapResponse.Partition], _ client: Client
  ) throws(CommandError) -> [WireMapResponse.Partition] {
    if all { return partitions }
    if let partition {
      guard let chosen = partitions.first(where: { $0.group == partition }) else {
        throw .usage("split: there is no partition \(partition); kv status --json lists them")
      }
      return [chosen]
    }
    return [try largest(of: partitions, client)]
  }

  /// The partition with the most bytes, as the leaders of all tell them: asked again, while some have none.
  private func largest(
    of partitions: [WireMapResponse.Partition], _ client: Client
  ) throws(CommandError) -> WireMapResponse.Partition {
    let deadline = ProcessFacts.steadyMilliseconds + UInt64(global.timeoutMilliseconds)
    while true {
      var sizes: [UInt32: UInt64] = [:]
      let reports = try asking { () throws(ClientError) in try client.status() }
      for group in reports.compactMap(\.status).flatMap(\.groups) where group.role == .leader {
        sizes[group.group] = group.dataBytes
      }
      let told = partitions.compactMap { part in sizes[part.group].map { (part: part, bytes: $0) } }
      if told.count == partitions.count, let largest = told.max(by: { $0.bytes < $1.bytes }) { return largest.part }
      guard ProcessFacts.steadyMilliseconds < deadline else {
        throw .notInTime(
          "split: which partition is the largest can't be said: of \(partitions.count) the leaders of"
            + " \(partitions.count - told.count) don't answer; kv status shows the cluster; or name a partition")
      }
      ProcessFacts.sleep(milliseconds: 200)
    }
  }

  /// Asks for the split, and again until it is done. Gives the child's group.
  private func split(_ part: WireMapResponse.Partition, _ client: Client) throws(CommandError) -> UInt32 {
    let limit = global.timeout?.milliseconds ?? HealthWait.usualMilliseconds
    let deadline = ProcessFacts.steadyMilliseconds + limit
    var child: UInt32 = 0
    while true {
      do throws(CommandError) {
        let answer = try askingByNumber { () throws(ClientError) in
          try client.split(group: part.group, bits: part.bits)
        }
        if answer.child > 0 { child = answer.child }
        if answer.done || noWait, child > 0 { return child }
        if answer.done { return try sibling(of: part, client) }
      } catch {
        guard case .client(let reason) = error, reason.mayPass else { throw error }
        guard ProcessFacts.steadyMilliseconds < deadline else {
          throw .notInTime(
            "\(reason); where it was begun the cluster goes on, and a repetition may split what is there by then: "
              + "kv status --json lists the partitions")
        }
      }
      guard ProcessFacts.steadyMilliseconds < deadline else {
        throw .notInTime("partition \(part.group) is not split yet; the cluster goes on, and the same command waits on")
      }
      ProcessFacts.sleep(milliseconds: 50)
    }
  }

  /// The group that holds the upper half of an arc that somebody else has split.
  private func sibling(of part: WireMapResponse.Partition, _ client: Client) throws(CommandError) -> UInt32 {
    let map = try asking { () throws(ClientError) in try client.map() }
    return map.partitions.first { $0.bits == part.bits + 1 && $0.prefix == part.prefix << 1 | 1 }?.group ?? 0
  }
}
