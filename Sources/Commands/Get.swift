import ArgumentParser
import Bytes
import Client

/// `kv get`: reads values.
struct GetCommand: TakesKeys {
  static let configuration = CommandConfiguration(
    commandName: "get", abstract: "Read the values of keys.",
    usage: "kv get KEY ... [options]\nkv get --from FORMAT [FILE|-] [options]")

  @OptionGroup var global: GlobalOptions

  @Option(help: ArgumentHelp("Read at a version or time: -5m, @SECONDS, RFC 3339.", valueName: "time"))
  var at: ArgumentBytes?

  @Option(help: ArgumentHelp("Read this snapshot's file, without a cluster.", valueName: "file"), completion: .file())
  var file: ArgumentBytes?

  @Flag(help: "With --file: print a proof that the record is in the snapshot.")
  var proof = false

  @Option(help: ArgumentHelp("Write the output into this file; - prints it.", valueName: "file"), completion: .file())
  var to: ArgumentBytes?

  @Option(help: ArgumentHelp("strong, eventual or bounded:DURATION.", valueName: "consistency"))
  var consistency: ConsistencyArgument?

  @Option(help: ArgumentHelp("Print records: tsv, json, keys, nul, cdb.", valueName: "format"))
  var format: RecordFormat?

  @Option(
    help: ArgumentHelp("Read the keys of records in this format: keys, tsv, json, nul, cdb.", valueName: "format"))
  var from: RecordFormat?

  @Argument(help: ArgumentHelp("The keys; or, with --from, the file.", valueName: "key"), completion: .file())
  var operands: [ArgumentBytes] = []

  mutating func validate() throws {
    if from != nil {
      if operands.count > 1 { throw ValidationError("--from takes one file, or - for standard input") }
      if proof { throw ValidationError("--from excludes --proof") }
    } else if operands.isEmpty {
      throw ValidationError("expected a key")
    }
    if global.json, format != nil, format != .json { throw ValidationError("--json excludes another --format") }
    if operands.count > 1, wantedFormat == nil { throw ValidationError("several keys need --format") }
    if file != nil, consistency?.isRelaxed == true { throw ValidationError("--file excludes --consistency") }
    if proof, file == nil || operands.count > 1 { throw ValidationError("--proof takes --file and one key") }
    if proof, format != nil || global.json { throw ValidationError("--proof has a format of its own") }
    if to?.bytes.isEmpty == true { throw ValidationError("the name of the file behind --to is empty") }
    if at != nil, consistency?.isRelaxed == true {
      throw ValidationError(
        "--at excludes --consistency: what was written up to a version is the same on every replica")
    }
  }

  /// A record, and how old it may be where that isn't known to be nothing.
  typealias Answer = (record: Record, freshness: Freshness?)

  private var wantedFormat: RecordFormat? { global.json ? .json : format ?? (from == nil ? nil : .tsv) }

  func execute(_ output: OutputStream) throws(CommandError) -> ExitCode {
    if from == nil { for key in operands { try key.checkAsKey() } }
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
    guard let from else { return try write(output) { (key) throws(CommandError) in try get(key, client, version) } }
    return try writing(output) { (output) throws(CommandError) in
      let stream = try keys(from, output)
      let code = try stream.read(client, at: version, consistency?.consistency ?? .strong) {
        (key, found, freshness) throws(CommandError) in
        try answer(key, told(key, found, freshness), output)
      }
      try end(output)
      return code
    }
  }

  private func printProof(_ source: SnapshotReading, _ output: OutputStream) throws(CommandError) -> ExitCode {
    guard let line = try source.proof(of: operands[0].key) else {
      global.say("\(Escaping.text(operands[0].bytes)) is absent")
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
    return told(key, found, freshness)
  }

  /// What was found of a key, after it was said how fresh that is, where the format has no place for it.
  private func told(_ key: Key, _ found: Found?, _ freshness: Freshness?) -> Answer? {
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
    if let from {
      code = try keys(from, output).read { (key) throws(CommandError) in
        try answer(key, find(key), output)
      }
    } else {
      for key in operands.map(\.key) where try !answer(key, find(key), output) { code = .absent }
    }
    if code == .done || operands.count > 1 || from != nil { try end(output) }
    return code
  }

  /// Prints what was found of a key, and says whether anything was.
  private func answer(_ key: Key, _ answer: Answer?, _ output: OutputStream) throws(CommandError) -> Bool {
    guard let (record, freshness) = answer else {
      global.say("\(Escaping.text(key.bytes)) is absent")
      return false
    }
    try print(record, freshness, output)
    return true
  }

  private func keys(_ format: RecordFormat, _ output: OutputStream) throws(CommandError) -> KeyStream {
    try KeyStream(format, file: operands.first?.text ?? "-", output)
  }

  private func end(_ output: OutputStream) throws(CommandError) {
    try output.write { (bytes) throws(CommandError) in wantedFormat?.appendEnd(to: &bytes) }
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
