import ArgumentParser
import Bytes
import Server

/// How lines of the log are written.
enum LogFormat: String, CaseIterable, ExpressibleByArgument {
  /// Time, level, words, `name=value`.
  case text
  /// One JSON object a line.
  case json
}

/// The options of the commands that run a node.
struct NodeOptions: ParsableArguments {
  @Option(name: [.short, .long], help: ArgumentHelp("The node's directory.", valueName: "dir"))
  var directory = ArgumentBytes(Array(".".utf8))

  @Option(help: ArgumentHelp("Where to listen.", valueName: "host:port"))
  var listen: ArgumentBytes?

  @Option(help: ArgumentHelp("Where others reach the node, if that isn't where it listens.", valueName: "host:port"))
  var advertise: ArgumentBytes?

  @Option(help: ArgumentHelp("The zone that the node fails with: a rack, a site.", valueName: "zone"))
  var zone: ArgumentBytes?

  @Option(help: ArgumentHelp("Its part of the load against the weights of the others; 1 unless set.", valueName: "n"))
  var weight: UInt32?

  @Option(help: ArgumentHelp("trace, debug, info, notice, warning, error, critical.", valueName: "level"))
  var logLevel: LogLevel = .info

  @Option(help: ArgumentHelp("text or json.", valueName: "format"))
  var logFormat: LogFormat = .text

  /// For parents that must not leave nodes behind: SIGTERM to this process once standard input ends.
  @Flag(help: .hidden)
  var stopAtEndOfInput = false

  /// What the server needs to know.
  func serveOptions(partitions: Int?) -> ServeOptions {
    var options = ServeOptions(
      directory: directory.text, listen: listen?.text, advertise: advertise?.text, zone: zone?.text,
      partitions: partitions)
    options.weight = weight
    return options
  }

  mutating func validate() throws {
    if let weight, weight > Limits.weight { throw ValidationError("--weight takes a number up to \(Limits.weight)") }
    if let zone, zone.bytes.count > Limits.zoneBytes {
      throw ValidationError("--zone takes a name of at most \(Limits.zoneBytes) bytes")
    }
  }

  /// Runs the node until it is told to stop.
  func serve(_ options: ServeOptions, quiet: Bool) throws(CommandError) {
    if stopAtEndOfInput { EndOfInput.stopProcess() }
    do throws(ServerError) {
      try Server.serve(options) { words in
        if !quiet { StandardError.write(words + "\n") }
      }
    } catch {
      throw .server(error)
    }
  }
}

/// `kv serve`: runs a node.
struct ServeCommand: Executable {
  static let configuration = CommandConfiguration(
    commandName: "serve", abstract: "Run a node; in an empty directory, make a cluster first.")

  @OptionGroup var global: GlobalOptions
  @OptionGroup var node: NodeOptions

  @Option(help: ArgumentHelp("How many partitions a new cluster has: a power of two.", valueName: "count"))
  var partitions: Int?

  @Option(help: ArgumentHelp("How long the cluster keeps old versions; 24h unless set.", valueName: "duration"))
  var keep: DurationArgument?

  mutating func validate() throws {
    if let partitions, partitions < 1 || partitions > Limits.partitions || partitions.nonzeroBitCount != 1 {
      throw ValidationError("--partitions takes a power of two from 1 to \(Limits.partitions)")
    }
    if let keep, keep.milliseconds < 1000 { throw ValidationError("--keep takes a duration of at least 1s") }
  }

  func execute(_ output: OutputStream) throws(CommandError) -> ExitCode {
    StandardErrorLog.install(level: node.logLevel, format: node.logFormat)
    var options = node.serveOptions(partitions: partitions)
    options.keepMilliseconds = keep?.milliseconds
    try node.serve(options, quiet: global.quiet)
    return .done
  }
}
