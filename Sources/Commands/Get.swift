import ArgumentParser
import Bytes
import Client

/// `kv get`: reads values.
struct GetCommand: Executable {
  static let configuration = CommandConfiguration(commandName: "get", abstract: "Read the values of keys.")

  @OptionGroup var global: GlobalOptions

  @Option(help: ArgumentHelp("Read at a version or time: -5m, @SECONDS, RFC 3339.", valueName: "time"))
  var at: ArgumentBytes?

  @Option(help: ArgumentHelp("Read this snapshot's file, without a cluster.", valueName: "file"))
  var file: ArgumentBytes?

  @Flag(help: "With --file: print a proof that the record is in the snapshot.")
  var proof = false

  @Option(help: ArgumentHelp("Write the output into this file; - prints it.", valueName: "file"))
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
    if file != nil, consistency?.isRelaxed == true { throw ValidationError("--file excludes --consistency") }
    if proof, file == nil || keys.count > 1 { throw ValidationError("--proof takes --file and one key") }
    if proof, format != nil || global.json { throw ValidationError("--proof has a format of its own") }
    if to?.bytes.isEmpty == true { throw ValidationError("the name of the file behind --to is empty") }
    if at != nil, consistency?.isRelaxed == true {
      throw ValidationError(
        "--at excludes --consistency: what was written up to a version is the same on every replica")
    }
  }

  /// A record, and how old it may be where that isn't known to be nothing.
  private typealias Answer = (record: Record, freshness: Freshness?)

  private var wantedFormat: RecordFormat? { global.json ? .json : format }

  func execute(_ output: OutputStream) throws(CommandError) -> ExitCode {
    for key in keys { try key.checkAsKey() }
    let time = try at.map { (text) throws(CommandError) in try TimeArgument(parsing: text.text) }
    if let file {
      let source = try SnapshotReading(file.text, at: time, global)
      guard proof else {
        return try write(output) { (key) throws(CommandError) in try source.get(key).map { ($0, nil) } }
      }
      return try writing(output) { (output) throws(CommandError) in try printProof(source, output) }
    }
    let client = try global.client()
    let version = try time?.version(asking: client)
    return try write(output) { (key) throws(CommandError) in try get(key, client, version) }
  }

  private func printProof(_ source: SnapshotReading, _ output: OutputStream) throws(CommandError) -> ExitCode {
    guard let line = try source.proof(of: keys[0].key) else {
      global.say("\(Escaping.text(keys[0].bytes)) is absent")
      return .absent
    }
    try output.write(line)
    return .done
  }

  /// The output, or the file that it shall go to.
  private func writing(
    _ output: OutputStream, _ body: (OutputStream) throws(CommandError) -> ExitCode
  ) throws(CommandError) -> ExitCode {
    guard let to, to.bytes != Array("-".utf8) else { return try body(output) }
    return try FileReplacement.write(to.text, body)
  }

  private func get(_ key: Key, _ client: Client, _ version: Version?) throws(CommandError) -> Answer? {
    let (found, freshness) = try asking { () throws(ClientError) -> (Found?, Freshness?) in
      guard let consistency, consistency.isRelaxed else { return (try client.get(key, at: version), nil) }
      return try client.get(key, consistency: consistency.consistency)
    }
    if let freshness, wantedFormat != .json { global.say("\(Escaping.text(key.bytes)): \(freshness.words)") }
    return found.map { (Record(key: key, version: $0.version, value: $0.value), freshness) }
  }

  private func write(
    _ output: OutputStream, _ find: (Key) throws(CommandError) -> Answer?
  ) throws(CommandError) -> ExitCode {
    try writing(output) { (output) throws(CommandError) in try read(find, output) }
  }

  /// Reads all keys; absent ones are named on standard error and left out.
  private func read(
    _ find: (Key) throws(CommandError) -> Answer?, _ output: OutputStream
  ) throws(CommandError) -> ExitCode {
    var code = ExitCode.done
    for argument in keys {
      guard let (record, freshness) = try find(argument.key) else {
        global.say("\(Escaping.text(argument.bytes)) is absent")
        code = .absent
        continue
      }
      try print(record, freshness, output)
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
