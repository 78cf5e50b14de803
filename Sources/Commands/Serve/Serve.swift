import ArgumentParser
import Bytes
import Server

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

  @Option(
    parsing: .singleValue,
    help: ArgumentHelp("Make a new cluster of this snapshot's file; again for changes after it.", valueName: "file"),
    completion: .file())
  var from: [ArgumentBytes] = []

  @Flag(help: "Print a unit for systemd that runs the node with these settings, and end.")
  var printUnit = false

  mutating func validate() throws {
    if let partitions, partitions < 1 || partitions > Limits.partitions || partitions.nonzeroBitCount != 1 {
      throw ValidationError("--partitions takes a power of two from 1 to \(Limits.partitions)")
    }
    if let keep, keep.milliseconds < 1000 { throw ValidationError("--keep takes a duration of at least 1s") }
  }

  /// A command line that leaves everything open.
  static var empty: ServeCommand {
    guard let command = try? ServeCommand.parse([]) else { preconditionFailure("serve needs no argument") }
    return command
  }

  /// This command line, and from another what this one leaves open.
  func filled(from other: ServeCommand) -> ServeCommand {
    var filled = self
    filled.node = node.filled(from: other.node)
    filled.partitions = partitions ?? other.partitions
    filled.keep = keep ?? other.keep
    return filled
  }

  func execute(_ output: OutputStream) throws(CommandError) -> ExitCode {
    if printUnit {
      // The file may be written later: all that is asked of it is where the node's data is.
      let settings = node.config.flatMap { try? NodeSettings.file($0.text) }
      let directory = node.directory ?? settings?.node.directory
      try output.write(try SystemdUnit(self, directory: directory?.text).text.utf8)
      return .done
    }
    let complete = try NodeSettings.complete(self)
    complete.node.installLog()
    var options = complete.node.serveOptions(partitions: complete.partitions)
    options.keepMilliseconds = complete.keep?.milliseconds
    options.from = from.map(\.text)
    for path in options.from { try SnapshotFiles.check(path) }
    try complete.node.serve(options, quiet: global.quiet)
    return .done
  }
}
