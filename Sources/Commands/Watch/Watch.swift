import ArgumentParser
import Bytes
import Client
import Glibc

/// `kv watch`: follows the changes of keys.
struct WatchCommand: Executable {
  static let configuration = CommandConfiguration(
    commandName: "watch", abstract: "Follow the changes of a key, a prefix or everything.")

  @OptionGroup var global: GlobalOptions

  @Option(help: ArgumentHelp("Only keys that begin with this.", valueName: "prefix"))
  var prefix: ArgumentBytes?

  @Option(help: ArgumentHelp("Begin behind this version or time: -5m, @SECONDS, RFC 3339.", valueName: "time"))
  var after: ArgumentBytes?

  @Option(help: ArgumentHelp("Run a shell command for each change, its value on standard input.", valueName: "command"))
  var exec: ArgumentBytes?

  @Option(
    help: ArgumentHelp("Keep in this file how far the watch has come, and go on there.", valueName: "file"),
    completion: .file())
  var checkpoint: ArgumentBytes?

  @Option(parsing: .unconditional, help: ArgumentHelp("End after so many changes.", valueName: "count"))
  var limit: Int?

  @Option(help: ArgumentHelp("tsv, json.", valueName: "format"))
  var format: ChangeFormat?

  @Argument(help: ArgumentHelp("The key; without one, all keys.", valueName: "key"))
  var key: ArgumentBytes?

  mutating func validate() throws {
    if global.json, format != nil, format != .json { throw ValidationError("--json excludes another --format") }
    if prefix != nil, key != nil { throw ValidationError("--prefix excludes a key") }
    if exec != nil, format != nil || global.json {
      throw ValidationError("--exec prints nothing: it excludes \(format == nil ? "--json" : "--format")")
    }
    if let checkpoint, checkpoint.bytes.isEmpty { throw ValidationError("--checkpoint takes the name of a file") }
    if let limit, limit < 1 { throw ValidationError("--limit takes a number from 1 on") }
  }

  func execute(_ output: OutputStream) throws(CommandError) -> ExitCode {
    try key?.checkAsKey()
    let client = try global.client(longest: Int(GlobalOptions.usualTimeout.milliseconds))
    let checkpoint = try checkpoint.map { (path) throws(CommandError) in try Checkpoint(path: path.text) }
    let end = global.timeout.map { ProcessFacts.steadyMilliseconds + $0.milliseconds }
    let stream = try waiting(until: end) { () throws(CommandError) in
      let begin: Version?
      if let saved = checkpoint?.version {
        try warn(ofFuture: saved, client)
        begin = saved
      } else {
        begin = try beginning(client)
      }
      return try asking { () throws(ClientError) in try client.watch(query(after: begin)) }
    }
    // Until here a signal ends the process at once; from here on between two changes.
    let signals = StopSignals()
    global.sayMore("watching behind version \(stream.position)")
    try checkpoint?.write(stream.position)
    let follower = WatchFollower(
      stream: stream, signals: signals, checkpoint: checkpoint, savesEach: exec != nil, limit: limit,
      end: end, output: exec == nil ? output : nil, global: global)
    return try follower.follow { (change) throws(CommandError) in
      if let exec { return try ChangeCommand.run(exec.bytes, for: change) }
      try output.write { (bytes) throws(CommandError) in wantedFormat.append(change, namesKey: true, to: &bytes) }
      try output.flush()
    }
  }

  /// Begins as soon as the cluster can be reached: a watch waits for it, and says so.
  private func waiting(
    until end: UInt64?, _ begin: () throws(CommandError) -> WatchStream
  ) throws(CommandError) -> WatchStream {
    while true {
      do throws(CommandError) {
        return try begin()
      } catch {
        let isOver = end.map { ProcessFacts.steadyMilliseconds >= $0 } ?? false
        guard case .client(let reason) = error, reason.mayPass, !isOver else { throw error }
        global.say("waiting for the cluster: \(reason)")
        usleep(WatchCommand.restMicroseconds)
      }
    }
  }

  private static let restMicroseconds: UInt32 = 200_000

  private func beginning(_ client: Client) throws(CommandError) -> Version? {
    guard let after else { return nil }
    let version = try TimeArgument(parsing: after.text).version(asking: client)
    let latest: Version
    do throws(ClientError) {
      latest = try client.latestVersion()
    } catch {
      // A watch waits for its cluster.
      guard error.mayPass else { throw .client(error) }
      return version
    }
    guard version <= latest else {
      throw .client(
        .futureVersion(
          "watch: version \(version) was not given out yet, the latest is \(latest); without --after it begins there"))
    }
    return version
  }

  /// A checkpoint is believed, also where it is another cluster's; but not without a word.
  private func warn(ofFuture saved: Version, _ client: Client) throws(CommandError) {
    let latest = try asking { () throws(ClientError) in try client.latestVersion() }
    if saved > latest {
      global.say("the checkpoint's version \(saved) was not given out yet, the latest is \(latest): it is waited for")
    }
  }

  private var wantedFormat: ChangeFormat { global.json ? .json : format ?? .tsv }

  private func query(after: Version?) -> WatchQuery {
    if let key { return WatchQuery(key: key.key, after: after) }
    if let prefix { return WatchQuery(prefix: prefix.key, after: after) }
    return WatchQuery(after: after)
  }
}
