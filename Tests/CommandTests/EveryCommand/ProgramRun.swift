import FoundationEssentials
import Glibc

@testable import Commands

/// What one run of the program under test came to.
struct ProgramRun: CustomStringConvertible {
  let arguments: [String]
  /// The exit code, or 128 and the signal that ended it; nil if it had to be killed after a minute.
  let status: Int32?
  /// All of standard output.
  let output: String
  /// All of standard error.
  let errors: String

  var description: String {
    "`kv \(arguments.joined(separator: " "))` ended with \(status.map { "\($0)" } ?? "nothing"):\n\(errors)\(output)"
  }

  /// How long a run may take, in milliseconds.
  private static let patience: UInt64 = 60_000

  /// Runs the program to its end. `device` is where standard output goes instead of a file. `wrapper` is a shell's
  /// command line that runs the program as `"$@"`. Where `interruptAfter` is given, SIGINT is sent after so many
  /// milliseconds.
  static func of(
    _ arguments: [String], device: String? = nil, wrapper: String? = nil, environment: [String: String] = [:],
    interruptAfter: UInt64? = nil
  ) throws -> ProgramRun {
    let place = try DirectoryTree.makeTemporary("kv-run-")
    defer { DirectoryTree.remove(place) }
    let words = wrapper.map { ["-c", $0, "kv", TormentSettings.program] + arguments } ?? arguments
    var variables = ["HOME": place, "XDG_CONFIG_HOME": place, "XDG_STATE_HOME": place]
    variables.merge(environment) { _, new in new }
    let process = try ChildProcess(
      wrapper == nil ? TormentSettings.program : "bash", words.map { Array($0.utf8) },
      output: .file(device ?? "\(place)/output"), errors: .file("\(place)/errors"), environment: variables)
    if let interruptAfter {
      ProcessFacts.sleep(milliseconds: interruptAfter)
      process.signal(SIGINT)
    }
    let status = process.wait(milliseconds: patience)
    if status == nil {
      process.signal(SIGKILL)
      process.wait()
    }
    return ProgramRun(
      arguments: arguments, status: status, output: device == nil ? text(of: "\(place)/output") : "",
      errors: text(of: "\(place)/errors"))
  }

  private static func text(of path: String) -> String {
    String(decoding: (try? Data(contentsOf: URL(filePath: path))) ?? Data(), as: UTF8.self)
  }
}
