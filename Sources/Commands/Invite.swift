import ArgumentParser
import Client

/// `kv invite`: makes a token with which one machine may join.
struct InviteCommand: Executable {
  static let configuration = CommandConfiguration(
    commandName: "invite", abstract: "Print the command with which another machine joins, once.")

  @OptionGroup var global: GlobalOptions

  @Option(help: ArgumentHelp("How long the token is valid.", valueName: "duration"))
  var ttl = DurationArgument(milliseconds: 3_600_000)

  mutating func validate() throws {
    guard (1000...InviteCommand.longest).contains(ttl.milliseconds) else {
      throw ValidationError("--ttl takes a duration from 1s to 7d")
    }
  }

  /// The longest that a cluster lets an invitation last, in milliseconds.
  private static let longest: UInt64 = 7 * 86_400_000

  func execute(_ output: OutputStream) throws(CommandError) -> ExitCode {
    let client = try global.client()
    let token = try asking { () throws(ClientError) in
      try client.invite(ttlMilliseconds: ttl.milliseconds)
    }
    if global.json {
      var object = JSONObject()
      object.string("token", token)
      object.string("command", "kv join \(token)")
      try output.write(object.line)
    } else {
      try output.line("kv join \(token)")
    }
    return .done
  }
}
