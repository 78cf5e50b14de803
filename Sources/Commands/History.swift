import ArgumentParser
import Bytes
import Client

/// `kv history`: lists every kept version of a key.
struct HistoryCommand: Executable {
  static let configuration = CommandConfiguration(
    commandName: "history", abstract: "List the kept versions of a key.")

  @OptionGroup var global: GlobalOptions

  @Option(help: ArgumentHelp("Only versions after a version or time: -5m, @SECONDS, RFC 3339.", valueName: "time"))
  var after: ArgumentBytes?

  @Option(help: ArgumentHelp("Only versions before a version or time.", valueName: "time"))
  var before: ArgumentBytes?

  @Option(help: ArgumentHelp("Read this snapshot's file, without a cluster.", valueName: "file"), completion: .file())
  var file: ArgumentBytes?

  @Option(parsing: .unconditional, help: ArgumentHelp("At most so many versions, the newest.", valueName: "count"))
  var limit: Int?

  @Flag(help: "From the oldest version to the newest.")
  var reverse = false

  @Option(help: ArgumentHelp("tsv, json.", valueName: "format"))
  var format: ChangeFormat?

  @Argument(help: ArgumentHelp("The key.", valueName: "key"))
  var key: ArgumentBytes

  mutating func validate() throws {
    if global.json, format != nil, format != .json { throw ValidationError("--json excludes another --format") }
    if let limit, limit < 1 { throw ValidationError("--limit takes a number from 1 on") }
  }

  func execute(_ output: OutputStream) throws(CommandError) -> ExitCode {
    try key.checkAsKey()
    let next = if let file { try ofFile(file) } else { try ofCluster() }
    var kept: [Record] = []
    var isEmpty = true
    while let record = try next() {
      isEmpty = false
      if reverse { kept.append(record) } else { try print(record, output) }
    }
    for record in kept.reversed() { try print(record, output) }
    if isEmpty { global.say("\(Escaping.text(key.bytes)) has no version that is kept\(narrowed)") }
    return isEmpty ? .absent : .done
  }

  /// What gives one version after the other, the newest first, then nil.
  private typealias Versions = () throws(CommandError) -> Record?

  private func ofCluster() throws(CommandError) -> Versions {
    let client = try global.client()
    let bound = { (text: ArgumentBytes) throws(CommandError) in
      try TimeArgument(parsing: text.text).version(asking: client)
    }
    let stream = client.history(
      of: key.key, HistoryQuery(before: try before.map(bound), after: try after.map(bound), limit: limit))
    return { () throws(CommandError) in
      try asking { () throws(ClientError) in try stream.next() }
    }
  }

  private func ofFile(_ file: ArgumentBytes) throws(CommandError) -> Versions {
    let bound = { (text: ArgumentBytes) throws(CommandError) in
      try TimeArgument(parsing: text.text).version(nowMilliseconds: ProcessFacts.wallMilliseconds)
    }
    let (after, before) = (try after.map(bound) ?? .zero, try before.map(bound) ?? .max)
    let all = try SnapshotReading(file.text, at: nil, global).history(of: key.key)
    let wanted = all.filter { after < $0.version && $0.version < before }.prefix(limit ?? .max)
    var rest = wanted.makeIterator()
    return { () throws(CommandError) in rest.next() }
  }

  private var narrowed: String { after == nil && before == nil ? "" : " between these bounds" }

  private func print(_ record: Record, _ output: OutputStream) throws(CommandError) {
    let wanted = global.json ? .json : format ?? .tsv
    try output.write { (bytes) throws(CommandError) in wanted.append(record, namesKey: false, to: &bytes) }
  }
}
