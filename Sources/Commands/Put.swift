import ArgumentParser
import Bytes
import Client
import Glibc

/// `kv put`: writes one record, or loads many.
struct PutCommand: Executable {
  static let configuration = CommandConfiguration(
    commandName: "put", abstract: "Write a value, or load many records.",
    usage: "kv put KEY [VALUE|-] [options]\nkv put --from FORMAT [FILE|-] [--atomic]")

  @OptionGroup var global: GlobalOptions

  @Option(help: ArgumentHelp("Load records in this format: tsv, json, nul, cdb.", valueName: "format"))
  var from: LoadFormat?

  @Flag(help: "With --from: the records of each partition together, or none of them.")
  var atomic = false

  @Flag(help: "Only if the key has no value.")
  var ifAbsent = false

  @Option(
    parsing: .unconditional, help: ArgumentHelp("Only if the key's latest version is this one.", valueName: "version"))
  var ifVersion: UInt64?

  @Option(help: ArgumentHelp("The id of the write, to retry one safely.", valueName: "id"))
  var requestID: ArgumentBytes?

  @Argument(
    help: ArgumentHelp("The key and its value; or, with --from, the file.", valueName: "key"), completion: .file())
  var operands: [ArgumentBytes] = []

  mutating func validate() throws {
    if from != nil {
      if operands.count > 1 { throw ValidationError("--from takes one file, or - for standard input") }
      if ifVersion != nil || requestID != nil {
        throw ValidationError("--from excludes --if-version and --request-id")
      }
    } else {
      if atomic { throw ValidationError("--atomic goes with --from") }
      if operands.isEmpty { throw ValidationError("expected a key") }
      if operands.count > 2 { throw ValidationError("expected a key and a value, found \(operands.count) operands") }
      if ifAbsent, ifVersion != nil { throw ValidationError("--if-absent and --if-version exclude each other") }
    }
  }

  func execute(_ output: OutputStream) throws(CommandError) -> ExitCode {
    if let from {
      let condition = ifAbsent ? WriteCondition.ifAbsent : .none
      let load = Load(work: .put(condition), format: from.format, file: operands.first?.text ?? "-", global: global)
      return atomic ? try load.runTogether(output, condition) : try load.run(output)
    }
    let id = try RequestID.parsed(requestID)
    let key = operands[0].key
    try operands[0].checkAsKey()
    let value = try value()
    if let words = RecordBounds.violation(value: value) { throw .malformed(words) }
    let client = try global.client()
    let version = try asking { () throws(ClientError) in
      try client.put(key, value, condition: condition, requestID: id)
    }
    if global.json {
      var object = JSONObject()
      object.data("key", key.bytes)
      object.version("version", version)
      try output.write(object.line)
    } else {
      try output.line("\(version)")
    }
    return .done
  }

  private var condition: WriteCondition {
    if ifAbsent { return .ifAbsent }
    return ifVersion.map { .ifVersion(Version(rawValue: $0)) } ?? .none
  }

  /// The value of the command line, or all of standard input.
  private func value() throws(CommandError) -> [UInt8] {
    if operands.count == 2, operands[1].bytes != Array("-".utf8) { return operands[1].bytes }
    if operands.count == 1, isatty(STDIN_FILENO) == 1 {
      throw .usage("no value: give one, or - to type it, or a pipe on standard input")
    }
    guard let value = try InputStream(opening: "-").all(limit: Limits.valueBytes.rawValue) else {
      throw .malformed("the value on standard input is larger than \(Limits.valueBytes)")
    }
    return value
  }
}

/// A format that can be loaded: one that holds values.
struct LoadFormat: ExpressibleByArgument {
  let format: RecordFormat

  init?(argument: String) {
    guard let format = RecordFormat(rawValue: argument), format.hasValues else { return nil }
    self.format = format
  }

  static var defaultCompletionKind: CompletionKind { .list(allValueStrings) }
  static var allValueStrings: [String] { RecordFormat.allCases.filter(\.hasValues).map(\.rawValue) }
}
