import ArgumentParser
import Bytes
import Client

/// `kv delete`: deletes keys. Their history stays readable as long as it is retained.
struct DeleteCommand: TakesKeys {
  static let configuration = CommandConfiguration(
    commandName: "delete", abstract: "Delete keys.",
    usage: "kv delete KEY ... [options]\nkv delete --from FORMAT [FILE|-]")

  @OptionGroup var global: GlobalOptions

  @Option(
    help: ArgumentHelp("Delete the keys of records in this format: keys, tsv, json, nul, cdb.", valueName: "format"))
  var from: RecordFormat?

  @Option(
    parsing: .unconditional, help: ArgumentHelp("Only if the key's latest version is this one.", valueName: "version"))
  var ifVersion: UInt64?

  @Option(help: ArgumentHelp("The id of the deletion, to retry one safely.", valueName: "id"))
  var requestID: ArgumentBytes?

  @Argument(help: ArgumentHelp("The keys; or, with --from, the file.", valueName: "key"), completion: .file())
  var operands: [ArgumentBytes] = []

  mutating func validate() throws {
    if from != nil {
      if operands.count > 1 { throw ValidationError("--from takes one file, or - for standard input") }
      if ifVersion != nil || requestID != nil {
        throw ValidationError("--from excludes --if-version and --request-id")
      }
    } else {
      if operands.isEmpty { throw ValidationError("expected a key") }
      if requestID != nil, operands.count > 1 { throw ValidationError("--request-id takes one key") }
      if ifVersion != nil, operands.count > 1 { throw ValidationError("--if-version takes one key") }
    }
  }

  func execute(_ output: OutputStream) throws(CommandError) -> ExitCode {
    if let from {
      return try Load(work: .delete, format: from, file: operands.first?.text ?? "-", global: global).run(output)
    }
    for key in operands { try key.checkAsKey() }
    let id = try RequestID.parsed(requestID)
    let client = try global.client()
    var code = ExitCode.done
    let expected = ifVersion.map { Version(rawValue: $0) }
    for argument in operands {
      let key = argument.key
      let version = try asking { () throws(ClientError) in
        try client.delete(key, ifVersion: expected, requestID: id)
      }
      if version == nil {
        global.say("\(Escaping.text(key.bytes)) is absent")
        code = .absent
      }
      try print(key, version, output)
    }
    return code
  }

  private func print(_ key: Key, _ version: Version?, _ output: OutputStream) throws(CommandError) {
    if global.json {
      var object = JSONObject()
      object.data("key", key.bytes)
      if let version { object.version("version", version) } else { object.null("version") }
      try output.write(object.line)
    } else if let version {
      try output.line("\(version)")
    }
    // A version says that the deletion is done: it must not wait here while the next key is still under way.
    try output.flush()
  }
}
