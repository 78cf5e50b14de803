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

/// The options of the commands that run a node. Each may also stand in a file or the environment (`NodeSettings`).
struct NodeOptions: ParsableArguments {
  @Option(
    name: [.short, .long], help: ArgumentHelp("The node's directory.", valueName: "dir"), completion: .directory)
  var directory: ArgumentBytes?

  @Option(help: ArgumentHelp("Where to listen.", valueName: "host:port"))
  var listen: ArgumentBytes?

  @Option(help: ArgumentHelp("Where others reach the node, if that isn't where it listens.", valueName: "host:port"))
  var advertise: ArgumentBytes?

  @Option(help: ArgumentHelp("The zone that the node fails with: a rack, a site.", valueName: "zone"))
  var zone: ArgumentBytes?

  @Option(help: ArgumentHelp("Its part of the load against the weights of the others; 1 unless set.", valueName: "n"))
  var weight: UInt32?

  @Option(help: ArgumentHelp("Where to serve metrics and the status page; loopback only.", valueName: "host:port"))
  var metrics: ArgumentBytes?

  @Option(
    help: ArgumentHelp("How long certificates last that this node signs for nodes; 365d.", valueName: "duration"))
  var certificateLife: DurationArgument?

  @Option(
    help: ArgumentHelp("Split partitions that hold more; 0: none unless asked. 4GiB.", valueName: "bytes"))
  var splitSize: ByteCountArgument?

  @Option(help: ArgumentHelp("trace, debug, info, notice, warning, error, critical.", valueName: "level"))
  var logLevel: LogLevel?

  @Option(help: ArgumentHelp("text or json.", valueName: "format"))
  var logFormat: LogFormat?

  @Option(help: ArgumentHelp("Read settings from a file.", valueName: "file"), completion: .file())
  var config: ArgumentBytes?

  /// For parents that must not leave nodes behind: SIGTERM to this process once standard input ends.
  @Flag(help: .hidden)
  var stopAtEndOfInput = false

  mutating func validate() throws {
    if let directory, directory.bytes.isEmpty { throw ValidationError("-d wants the name of a directory") }
    if let listen, HostPort(parsing: listen.text, toListen: true) == nil {
      throw ValidationError("--listen: '\(listen.text)' is no HOST:PORT to listen on; say 127.0.0.1:4711, for instance")
    }
    if let metrics {
      do throws(ServerError) {
        try ServeOptions.checkMetrics(metrics.text)
      } catch {
        throw ValidationError("\(error)")
      }
    }
    if let certificateLife, !(10_000...DurationArgument.longestCertificate).contains(certificateLife.milliseconds) {
      throw ValidationError("--certificate-life takes a duration from 10s to 3650d")
    }
    if let splitSize, splitSize.bytes > 0, splitSize.bytes < NodeOptions.leastSplitSize {
      throw ValidationError("--split-size takes a number of bytes from 1MiB on, or 0")
    }
    if let weight, weight > Limits.weight { throw ValidationError("--weight takes a number up to \(Limits.weight)") }
    if let zone, zone.bytes.count > Limits.zoneBytes {
      throw ValidationError("--zone takes a name of at most \(Limits.zoneBytes) bytes")
    }
    if let advertise, HostPort(parsing: advertise.text) == nil {
      throw ValidationError("--advertise: '\(advertise.text)' is no HOST:PORT")
    }
  }

  private static let leastSplitSize: UInt64 = 1 << 20

  /// These options, and from others what these leave open.
  func filled(from other: NodeOptions) -> NodeOptions {
    var filled = self
    filled.directory = directory ?? other.directory
    filled.listen = listen ?? other.listen
    filled.advertise = advertise ?? other.advertise
    filled.zone = zone ?? other.zone
    filled.weight = weight ?? other.weight
    filled.metrics = metrics ?? other.metrics
    filled.certificateLife = certificateLife ?? other.certificateLife
    filled.splitSize = splitSize ?? other.splitSize
    filled.logLevel = logLevel ?? other.logLevel
    filled.logFormat = logFormat ?? other.logFormat
    filled.config = config ?? other.config
    return filled
  }

  /// Sends the log of the whole process where these options say. To be called once.
  func installLog() {
    StandardErrorLog.install(level: logLevel ?? .info, format: logFormat ?? .text)
  }

  /// What the server needs to know.
  func serveOptions(partitions: Int?) -> ServeOptions {
    var options = ServeOptions(
      directory: directory?.text ?? ".", listen: listen?.text, advertise: advertise?.text, zone: zone?.text,
      partitions: partitions)
    options.weight = weight
    options.metrics = metrics?.text
    if let certificateLife { options.certificateLifetimeSeconds = Int64(certificateLife.milliseconds / 1000) }
    options.splitBytes = splitSize?.bytes
    options.notifySocket = ProcessFacts.environment["NOTIFY_SOCKET"]
    return options
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
