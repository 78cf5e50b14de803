import ArgumentParser
import Bytes
import Client

/// How fresh a read must be.
enum Consistency: String, CaseIterable, ExpressibleByArgument {
  /// As if there were one copy: the read sees every write acknowledged before it.
  case strong
  /// Whatever the nearest replica has.
  case eventual
}

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

  @Option(help: ArgumentHelp("Write the output into this file.", valueName: "file"))
  var to: ArgumentBytes?

  @Option(help: ArgumentHelp("strong or eventual.", valueName: "consistency"))
  var consistency: Consistency = .strong

  @Option(help: ArgumentHelp("Print records: tsv, json, keys, nul, cdb.", valueName: "format"))
  var format: RecordFormat?

  @Argument(help: ArgumentHelp("The keys.", valueName: "key"))
  var keys: [ArgumentBytes]

  mutating func validate() throws {
    if global.json, format != nil, format != .json { throw ValidationError("--json excludes another --format") }
    if keys.count > 1, wantedFormat == nil { throw ValidationError("several keys need --format") }
    if file != nil, consistency == .eventual { throw ValidationError("--file excludes --consistency") }
    if proof, file == nil || keys.count > 1 { throw ValidationError("--proof takes --file and one key") }
    if proof, format != nil || global.json { throw ValidationError("--proof has a format of its own") }
    if at != nil, consistency == .eventual { throw ValidationError("--at excludes --consistency eventual") }
  }

  private var wantedFormat: RecordFormat? { global.json ? .json : format }

  func execute(_ output: OutputStream) throws(CommandError) -> ExitCode {
    let time = try at.map { (text) throws(CommandError) in try TimeArgument(parsing: text.text) }
    if let file {
      let source = try SnapshotReading(file.text, at: time, global)
      guard proof else { return try write(output) { (key) throws(CommandError) in try source.get(key) } }
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
    guard let to else { return try body(output) }
    return try FileReplacement.write(to.text, body)
  }

  private func get(_ key: Key, _ client: Client, _ version: Version?) throws(CommandError) -> Record? {
    let found = try asking { () throws(ClientError) in
      try client.get(key, at: version, eventual: consistency == .eventual)
    }
    guard let found else { return nil }
    if consistency == .eventual {
      global.sayMore("\(Escaping.text(key.bytes)): read from a replica at most \(found.lagMilliseconds) ms behind")
    }
    return Record(key: key, version: found.version, value: found.value)
  }

  private func write(
    _ output: OutputStream, _ find: (Key) throws(CommandError) -> Record?
  ) throws(CommandError) -> ExitCode {
    try writing(output) { (output) throws(CommandError) in try read(find, output) }
  }

  /// Reads all keys; absent ones are named on standard error and left out.
  private func read(
    _ find: (Key) throws(CommandError) -> Record?, _ output: OutputStream
  ) throws(CommandError) -> ExitCode {
    var code = ExitCode.done
    for argument in keys {
      guard let record = try find(argument.key) else {
        global.say("\(Escaping.text(argument.bytes)) is absent")
        code = .absent
        continue
      }
      try print(record, output)
    }
    if code == .done || keys.count > 1 {
      try output.write { (bytes) throws(CommandError) in wantedFormat?.appendEnd(to: &bytes) }
    }
    return code
  }

  private func print(_ record: Record, _ output: OutputStream) throws(CommandError) {
    if let wantedFormat {
      try output.write { (bytes) throws(CommandError) in try wantedFormat.append(record, to: &bytes) }
    } else if output.isTerminal {
      try output.write(Escaping.escape(record.value) + [UInt8(ascii: "\n")])
    } else {
      try output.write(record.value)
    }
  }
}
