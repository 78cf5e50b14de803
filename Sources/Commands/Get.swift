import ArgumentParser
import Bytes
import Client

/// `kv get`: reads values.
struct GetCommand: Executable {
  static let configuration = CommandConfiguration(commandName: "get", abstract: "Read the values of keys.")

  @OptionGroup var global: GlobalOptions

  @Option(help: ArgumentHelp("Read at a version or time: -5m, @SECONDS, RFC 3339.", valueName: "time"))
  var at: ArgumentBytes?

  @Option(help: ArgumentHelp("Write the output into this file.", valueName: "file"))
  var to: ArgumentBytes?

  @Option(help: ArgumentHelp("strong, eventual or bounded:DURATION.", valueName: "consistency"))
  var consistency: ConsistencyArgument?

  @Option(help: ArgumentHelp("Print records: tsv, json, keys, nul, cdb.", valueName: "format"))
  var format: RecordFormat?

  @Argument(help: ArgumentHelp("The keys.", valueName: "key"))
  var keys: [ArgumentBytes]

  mutating func validate() throws {
    if global.json, format != nil, format != .json { throw ValidationError("--json excludes another --format") }
    if keys.count > 1, wantedFormat == nil { throw ValidationError("several keys need --format") }
    if at != nil, consistency?.isRelaxed == true {
      throw ValidationError(
        "--at excludes --consistency: what was written up to a version is the same on every replica")
    }
  }

  private var wantedFormat: RecordFormat? { global.json ? .json : format }

  func execute(_ output: OutputStream) throws(CommandError) -> ExitCode {
    let time = try at.map { (text) throws(CommandError) in try TimeArgument(parsing: text.text) }
    let client = try global.client()
    let version = try time?.version(asking: client)
    guard let to else { return try read(client, version, output) }
    return try FileReplacement.write(to.text) { (file) throws(CommandError) in
      try read(client, version, file)
    }
  }

  /// Reads all keys; absent ones are named on standard error and left out.
  private func read(_ client: Client, _ version: Version?, _ output: OutputStream) throws(CommandError) -> ExitCode {
    var code = ExitCode.done
    for argument in keys {
      let key = argument.key
      let (found, freshness) = try asking { () throws(ClientError) -> (Found?, Freshness?) in
        guard let consistency, consistency.isRelaxed else { return (try client.get(key, at: version), nil) }
        return try client.get(key, consistency: consistency.consistency)
      }
      if let freshness, wantedFormat != .json { global.say("\(Escaping.text(key.bytes)): \(freshness.words)") }
      guard let found else {
        global.say("\(Escaping.text(key.bytes)) is absent")
        code = .absent
        continue
      }
      try print(Record(key: key, version: found.version, value: found.value), freshness, output)
    }
    if code == .done || keys.count > 1 {
      try output.write { (bytes) throws(CommandError) in wantedFormat?.appendEnd(to: &bytes) }
    }
    return code
  }

  private func print(
    _ record: Record, _ freshness: Freshness?, _ output: OutputStream
  ) throws(CommandError) {
    if let freshness, wantedFormat == .json {
      var object = JSONFormat.object(record)
      object.number("node", freshness.node.rawValue)
      if let lag = freshness.lagMilliseconds { object.number("lag_ms", lag) } else { object.null("lag_ms") }
      try output.write(object.line)
    } else if let wantedFormat {
      try output.write { (bytes) throws(CommandError) in try wantedFormat.append(record, to: &bytes) }
    } else if output.isTerminal {
      try output.write(Escaping.escape(record.value) + [UInt8(ascii: "\n")])
    } else {
      try output.write(record.value)
    }
  }
}
