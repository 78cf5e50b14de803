import ArgumentParser
import Bytes
import Client

/// `kv delete`: deletes keys. Their history stays readable as long as it is retained.
struct DeleteCommand: Executable {
  static let configuration = CommandConfiguration(commandName: "delete", abstract: "Delete keys.")

  @OptionGroup var global: GlobalOptions

  @Option(help: ArgumentHelp("The id of the deletion, to retry one safely.", valueName: "id"))
  var requestID: ArgumentBytes?

  @Argument(help: ArgumentHelp("The keys.", valueName: "key"))
  var keys: [ArgumentBytes]

  mutating func validate() throws {
    if requestID != nil, keys.count > 1 { throw ValidationError("--request-id takes one key") }
  }

  func execute(_ output: OutputStream) throws(CommandError) -> ExitCode {
    for key in keys { try key.checkAsKey() }
    let id = try RequestID.parsed(requestID)
    let client = try global.client()
    var code = ExitCode.done
    for argument in keys {
      let key = argument.key
      let version = try asking { () throws(ClientError) in try client.delete(key, requestID: id) }
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
