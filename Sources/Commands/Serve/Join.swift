import ArgumentParser
import Bytes
import Server

/// `kv join`: enrols this machine as a node, and runs it.
struct JoinCommand: Executable {
  static let configuration = CommandConfiguration(
    commandName: "join", abstract: "Become a node of a cluster with a token of kv invite, and serve.")

  @OptionGroup var global: GlobalOptions
  @OptionGroup var node: NodeOptions

  @Flag(help: "Enrol only: kv serve runs the node later.")
  var enrolOnly = false

  @Argument(help: ArgumentHelp("The token, or - to read it from standard input.", valueName: "token"))
  var token: ArgumentBytes

  func execute(_ output: OutputStream) throws(CommandError) -> ExitCode {
    let node = try settings()
    node.installLog()
    let options = node.serveOptions(partitions: nil)
    let token = try tokenText()
    do throws(ServerError) {
      try Server.join(token: token, options)
    } catch {
      throw .server(error)
    }
    if enrolOnly {
      global.say("enrolled; kv serve -d \(options.directory) runs the node")
    } else {
      try node.serve(options, quiet: global.quiet)
    }
    return .done
  }

  /// The options, and from the environment and the file what they leave open.
  private func settings() throws(CommandError) -> NodeOptions {
    var line = ServeCommand.empty
    line.node = node
    return try NodeSettings.complete(line).node
  }

  /// The token of the command line, or the first line of standard input: there it shows in no list of processes.
  private func tokenText() throws(CommandError) -> String {
    guard token.bytes == Array("-".utf8) else { return token.text }
    switch try InputStream(opening: "-").part(upTo: UInt8(ascii: "\n"), limit: JoinCommand.longestToken) {
    case .complete(let line), .unfinished(let line):
      return String(decoding: line.filter { $0 > 0x20 }, as: UTF8.self)
    case .end: throw .malformed("no token on standard input")
    case .tooLong: throw .malformed("the token on standard input is longer than \(JoinCommand.longestToken) bytes")
    }
  }

  private static let longestToken = 8192
}
