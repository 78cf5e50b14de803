import ArgumentParser
import Bytes
import Client
import Glibc

/// The options of every command. They may stand before the command's name or behind it.
struct GlobalOptions: ParsableArguments {
  @Option(help: ArgumentHelp("The cluster file.", valueName: "file"), completion: .file())
  var cluster: ArgumentBytes?

  @Option(help: ArgumentHelp("How long to wait for the cluster: 500ms, 5s, 2m, 1h.", valueName: "duration"))
  var timeout: DurationArgument?

  @Flag(help: "Print one JSON object per line.")
  var json = false

  @Flag(name: [.short, .long], help: "Say nothing but errors.")
  var quiet = false

  @Flag(name: [.short, .long], help: "Say more.")
  var verbose = false

  mutating func validate() throws {
    if quiet, verbose { throw ValidationError("--quiet and --verbose exclude each other") }
    if let timeout, !(1...UInt64(Int32.max)).contains(timeout.milliseconds) {
      throw ValidationError("--timeout takes at least 1ms and at most 24d")
    }
  }

  /// How long to wait where nothing else is said.
  static let usualTimeout = DurationArgument(milliseconds: 5000)

  /// The time to wait, in milliseconds.
  var timeoutMilliseconds: Int { Int((timeout ?? GlobalOptions.usualTimeout).milliseconds) }

  /// Reads the cluster file that is named, or found in the usual places.
  func clusterFile() throws(CommandError) -> ClusterFile {
    do throws(ClusterFileError) {
      let path = try ClusterFile.locate(explicit: cluster?.text, environment: ProcessFacts.environment)
      return try ClusterFile.load(path)
    } catch {
      throw .clusterFile(error)
    }
  }

  /// A client of the cluster, each of whose calls may take as long as was said, or `longest`; nothing is sent yet.
  func client(longest: Int = .max) throws(CommandError) -> Client {
    client(of: try clusterFile(), timeoutMilliseconds: min(timeoutMilliseconds, longest))
  }

  /// A client of a cluster file that was read, which knows what earlier ones learned of the cluster.
  func client(of file: ClusterFile, timeoutMilliseconds: Int) -> Client {
    Client(
      file, timeoutMilliseconds: timeoutMilliseconds,
      stateDirectory: file.stateDirectory(environment: ProcessFacts.environment))
  }

  /// Tells the user something on standard error, unless they asked for silence.
  func say(_ words: String) {
    if !quiet { StandardError.say(words) }
  }

  /// Tells a user who asked for more.
  func sayMore(_ words: String) {
    if verbose { StandardError.say(words) }
  }
}

/// Calls the cluster, and gives its errors the form of this target.
func asking<Answer>(_ call: () throws(ClientError) -> Answer) throws(CommandError) -> Answer {
  do throws(ClientError) {
    return try call()
  } catch {
    throw .client(error)
  }
}
