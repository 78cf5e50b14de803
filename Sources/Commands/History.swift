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

  @Option(help: ArgumentHelp("At most so many versions, the newest.", valueName: "count"))
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
    if let words = RecordBounds.violation(key: key.bytes) { throw .malformed(words) }
    let client = try global.client()
    let query = HistoryQuery(before: try bound(before, client), after: try bound(after, client), limit: limit)
    let stream = client.history(of: key.key, query)
    var kept: [Record] = []
    var isEmpty = true
    while let record = try asking({ () throws(ClientError) in try stream.next() }) {
      isEmpty = false
      if reverse { kept.append(record) } else { try print(record, output) }
    }
    for record in kept.reversed() { try print(record, output) }
    if isEmpty { global.say("\(Escaping.text(key.bytes)) has no version that is kept\(narrowed)") }
    return isEmpty ? .absent : .done
  }

  private var narrowed: String { after == nil && before == nil ? "" : " between these bounds" }

  private func bound(_ text: ArgumentBytes?, _ client: Client) throws(CommandError) -> Version? {
    guard let text else { return nil }
    return try TimeArgument(parsing: text.text).version(asking: client)
  }

  private func print(_ record: Record, _ output: OutputStream) throws(CommandError) {
    let wanted = global.json ? .json : format ?? .tsv
    try output.write { (bytes) throws(CommandError) in wanted.append(record, namesKey: false, to: &bytes) }
  }
}
