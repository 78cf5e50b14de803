import FoundationEssentials
import Testing

@testable import Commands

/// What holds of every command before it has a cluster to talk to (DESIGN §10).
@Suite("Every command")
struct EveryCommandTests {
  /// Ends with the word that stands for a command's name, after whoever read its standard output has gone away.
  private static let closedPipe = #"exec 3> >(:); wait $!; exec "$@" >&3"#

  @Test(
    "--help is data: on standard output, without colours, the same for everybody", arguments: CommandDescription.all)
  func help(command: CommandDescription) throws {
    let plain = try ProgramRun.of(command.path + ["--help"])
    #expect(plain.status == 0 && plain.errors == "", "\(plain)")
    #expect(plain.output.contains("USAGE: kv"), "\(plain)")
    #expect(!plain.output.contains("\u{1b}"), "\(plain)")
    let bare = try ProgramRun.of(command.path + ["--help"], environment: ["NO_COLOR": "1", "TERM": "dumb"])
    #expect(bare.output == plain.output)
    // Every option that is taken is shown.
    for option in command.options { #expect(plain.output.contains(option), "\(command): \(option)") }
  }

  @Test("A wrong flag is a usage error that names it, and nothing is done", arguments: CommandDescription.all)
  func wrongFlag(command: CommandDescription) throws {
    let run = try ProgramRun.of(command.path + CommandSample.of(command).words + ["--no-such-flag"])
    #expect(run.status == ExitCode.usage.rawValue, "\(run)")
    #expect(run.output == "" && run.errors.hasPrefix("kv: ") && run.errors.contains("--no-such-flag"), "\(run)")
  }

  @Test(
    "A full device and a closed pipe end it with 74; of a reader that went away nothing is said",
    arguments: CommandDescription.all)
  func devices(command: CommandDescription) throws {
    let full = try ProgramRun.of(command.path + ["--help"], device: "/dev/full")
    #expect(full.status == ExitCode.inputOutput.rawValue, "\(full)")
    #expect(full.errors.contains("No space left"), "\(full)")
    let closed = try ProgramRun.of(command.path + ["--help"], wrapper: Self.closedPipe)
    #expect(closed.status == ExitCode.inputOutput.rawValue && closed.errors == "", "\(closed)")
  }

  @Test(
    "Without a cluster file a command that needs one says where it looked",
    arguments: CommandDescription.all.filter { [.asks, .changes, .reads].contains(CommandSample.of($0).use) })
  func noCluster(command: CommandDescription) throws {
    let run = try ProgramRun.of(
      command.path + CommandSample.of(command).words, environment: ["KV_CLUSTER": "/nonexistent"])
    #expect(run.status == ExitCode.missingFile.rawValue && run.output == "", "\(run)")
    #expect(run.errors.contains("/nonexistent"), "\(run)")
  }

  @Test(
    "A command that works alone does so, as JSON too, and minds its output",
    arguments: CommandDescription.all.filter { CommandSample.of($0).use == .local })
  func alone(command: CommandDescription) throws {
    let fixtures = URL(filePath: #filePath).deletingLastPathComponent()
      .appending(path: "../../FormatTests/fixtures").standardized.path
    let sample = CommandSample.of(command)
    let words = command.path + sample.words.map { $0.replacing("FIXTURES", with: fixtures) }
    let plain = try ProgramRun.of(words)
    #expect(sample.statuses.contains(plain.status ?? -1) && plain.output != "", "\(plain)")
    if command.path != ["completion"] { JSONLines.check(try ProgramRun.of(words + ["--json"])) }
    #expect(try ProgramRun.of(words, device: "/dev/full").status == ExitCode.inputOutput.rawValue)
    let closed = try ProgramRun.of(words, wrapper: Self.closedPipe)
    #expect(closed.status == ExitCode.inputOutput.rawValue && closed.errors == "", "\(closed)")
  }
}
