import ArgumentParser
import Bytes
import Glibc

/// The program `kv`: its command line, from the arguments to the exit code.
public enum Program {
  /// Carries out what the arguments of this process ask for, and ends it.
  public static func main() -> Never {
    StandardDescriptors.occupy()
    signal(SIGPIPE, SIG_IGN)
    // A file that may not grow is told of as a full disk is.
    signal(SIGXFSZ, SIG_IGN)
    exit(run(ArgumentBytes.ofThisProcess()).rawValue)
  }

  /// Carries out a command line, its arguments encoded by `ArgumentBytes`, and gives the exit code.
  static func run(_ arguments: [String]) -> ExitCode {
    let output = OutputStream.standardOutput()
    do throws(CommandError) {
      var code = try carryOut(arguments, output)
      do throws(CommandError) {
        try output.flush()
      } catch {
        code = report(error)
      }
      return code
    } catch {
      // What was printed before stays true: a version that was given, a record that was read.
      let code = report(error)
      do throws(CommandError) { try output.flush() } catch { report(error) }
      return code
    }
  }

  /// Carries out a command line, and leaves its errors to the caller.
  static func carryOut(_ arguments: [String], _ output: OutputStream) throws(CommandError) -> ExitCode {
    if let command = plainCommand(arguments) { return try command.execute(output) }
    do {
      let keys = ManyKeys(respelled(arguments))
      var command = keys.restored(try KVCommand.parseAsRoot(keys.arguments))
      if let words = RepeatedOption.words(in: keys.arguments) { throw CommandError.usage(printable(words)) }
      if let command = command as? any Executable { return try command.execute(output) }
      try command.run()
      return .done
    } catch let error as CommandError {
      throw error
    } catch {
      return try answer(error, arguments, output)
    }
  }

  /// The arguments as the parser takes them: `bench engine` as one word, since it takes what follows `bench` for a
  /// workload, and `kv --version` as the command that it asks for.
  private static func respelled(_ arguments: [String]) -> [String] {
    if arguments.starts(with: ["bench", "engine"]) { return ["bench-engine"] + arguments.dropFirst(2) }
    return arguments.first == "--version" ? ["version"] + arguments.dropFirst() : arguments
  }

  /// The argument in which the parser has found `-h` among letters that are no options, such as `-1h`, where nothing else
  /// asks for help; nil if help was meant.
  static func accidentalHelp(in arguments: [String]) -> String? {
    let before = arguments.prefix { $0 != "--" }
    let groups = before.filter { $0.hasPrefix("-") && !$0.hasPrefix("--") && $0.contains("h") }
    let (meant, strange) = (groups.filter(isOfFlags), groups.filter { !isOfFlags($0) })
    let words = ["help", "--help", "--help-hidden", "--version", "--generate-completion-script"]
    return meant.isEmpty && !before.contains(where: words.contains) ? strange.first : nil
  }

  /// Whether a group such as `-qh` is of the letters that every command takes.
  private static func isOfFlags(_ group: String) -> Bool {
    group.dropFirst().allSatisfy(Set("hqv").contains)
  }

  /// Prints help that was asked for; throws what is wrong with the command line.
  private static func answer(
    _ error: any Error, _ arguments: [String], _ output: OutputStream
  ) throws(CommandError) -> ExitCode {
    let text = printable(InvalidValue.explained(KVCommand.fullMessage(for: error)))
    if KVCommand.exitCode(for: error).isSuccess {
      if let strange = accidentalHelp(in: arguments) {
        throw .usage("unknown option '\(printable(strange))'; what begins with a dash and is no option comes behind --")
      }
      if let fault = CommandLineFault.ofHelp(respelled(arguments)) { throw .usage(printable(fault)) }
      try output.line(text)
      return .done
    }
    if !text.hasPrefix("Error: Unknown option '--"), let fault = CommandLineFault(respelled(arguments)).words {
      let usage = text.split(separator: "\n").drop { !$0.hasPrefix("Usage:") }
      throw .usage(([Substring(printable(fault))] + usage).joined(separator: "\n"))
    }
    let mark = "Error: "
    throw .usage(text.hasPrefix(mark) ? String(text.dropFirst(mark.count)) : text)
  }

  /// The parser's text with arguments back in their own bytes, escaped where they aren't printable.
  private static func printable(_ text: String) -> String {
    text.split(separator: "\n", omittingEmptySubsequences: false)
      .map { Escaping.text(ArgumentBytes.decode(String($0))) }
      .joined(separator: "\n")
  }

  @discardableResult
  private static func report(_ error: CommandError) -> ExitCode {
    if let message = error.message { StandardError.say(message) }
    return error.exitCode
  }
}

/// A command that does something itself.
protocol Executable: ParsableCommand {
  /// Does it: data goes to `output`, words to standard error.
  func execute(_ output: OutputStream) throws(CommandError) -> ExitCode
}

/// `kv` itself: the list of its commands.
struct KVCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "kv",
    abstract: "A distributed, versioned key-value store.",
    subcommands: [
      CertCommand.self, CompletionCommand.self,
      ServeCommand.self, InviteCommand.self, JoinCommand.self, PutCommand.self, GetCommand.self, DeleteCommand.self,
      RangeCommand.self, HistoryCommand.self, WatchCommand.self, VerifyCommand.self, RepairCommand.self,
      RecoverCommand.self, SnapshotCommand.self, StatusCommand.self, LeaveCommand.self, PlanCommand.self,
      SplitCommand.self, DemoCommand.self, BenchCommand.self,
      BenchEngineCommand.self, DebugCommand.self, VersionCommand.self,
    ])

  @OptionGroup var global: GlobalOptions

  func run() throws {
    throw ValidationError("expected a command")
  }
}
