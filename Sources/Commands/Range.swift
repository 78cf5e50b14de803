import ArgumentParser
import Bytes
import Client

/// `kv range`: reads records in the order of their keys.
struct RangeCommand: Executable {
  static let configuration = CommandConfiguration(
    commandName: "range", abstract: "Read records in key order.")

  @OptionGroup var global: GlobalOptions

  @Option(help: ArgumentHelp("Only keys that begin with this.", valueName: "prefix"))
  var prefix: ArgumentBytes?

  @Option(help: ArgumentHelp("Read at a version or time: -5m, @SECONDS, RFC 3339.", valueName: "time"))
  var at: ArgumentBytes?

  @Option(help: ArgumentHelp("Read this snapshot's file, without a cluster.", valueName: "file"), completion: .file())
  var file: ArgumentBytes?
  @Option(help: ArgumentHelp("strong, eventual or bounded:DURATION.", valueName: "consistency"))
  var consistency: ConsistencyArgument?

  @Option(parsing: .unconditional, help: ArgumentHelp("At most so many records.", valueName: "count"))
  var limit: Int?

  @Flag(help: "From the last key to the first.")
  var reverse = false

  @Option(help: ArgumentHelp("tsv, json, keys, nul, cdb.", valueName: "format"))
  var format: RecordFormat?

  @Argument(help: ArgumentHelp("The first key, if it exists.", valueName: "min"))
  var min: ArgumentBytes?

  @Argument(help: ArgumentHelp("Where to stop: this key is left out.", valueName: "max"))
  var max: ArgumentBytes?

  mutating func validate() throws {
    if global.json, format != nil, format != .json { throw ValidationError("--json excludes another --format") }
    if prefix != nil, min != nil { throw ValidationError("--prefix excludes MIN and MAX") }
    if at != nil, consistency?.isRelaxed == true {
      throw ValidationError(
        "--at excludes --consistency: what was written up to a version is the same on every replica")
    }
    if let limit, limit < 1 { throw ValidationError("--limit takes a number from 1 on") }
  }

  func execute(_ output: OutputStream) throws(CommandError) -> ExitCode {
    let wanted = global.json ? .json : format ?? .tsv
    let time = try at.map { (text) throws(CommandError) in try TimeArgument(parsing: text.text) }
    let (lower, upper) = (prefix?.key ?? min?.key, prefix.map(\.key.successorOfPrefix) ?? max?.key)
    if let file {
      let next = try SnapshotReading(file.text, at: time, global)
        .records(from: lower, to: upper, limit: limit, reverse: reverse)
      while let record = try next() {
        try output.write { (bytes) throws(CommandError) in try wanted.append(record, to: &bytes) }
      }
    } else {
      let client = try global.client()
      let query = RangeQuery(
        min: lower, max: upper, at: try time?.version(asking: client), limit: limit, reverse: reverse,
        keysOnly: wanted == .keys, consistency: consistency?.consistency ?? .strong)
      let stream = try asking { () throws(ClientError) in try client.range(query) }
      if consistency?.isRelaxed == true {
        let words = stream.freshness?.words ?? "read from the leaders, as of now"
        global.say("version \(stream.version): \(words)")
      }
      while let view = try asking({ () throws(ClientError) in try stream.nextView() }) {
        try output.write { (bytes) throws(CommandError) in try wanted.append(view, to: &bytes) }
      }
    }
    try output.write { (bytes) throws(CommandError) in wanted.appendEnd(to: &bytes) }
    return .done
  }
}
