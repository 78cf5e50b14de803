import FoundationEssentials
import Testing

@testable import Commands

/// What holds of every command that asks a cluster (DESIGN §10).
@Suite("Every command that asks a cluster", .serialized)
struct EveryClusterCommandTests {
  private static let asking = CommandDescription.all.filter { [.asks, .reads].contains(CommandSample.of($0).use) }
  private static let reaching = CommandDescription.all.filter {
    [.asks, .changes].contains(CommandSample.of($0).use)
  }

  private static func run(
    _ command: CommandDescription, _ clusterFile: String, _ more: [String] = [], timeout: String = "1s",
    device: String? = nil, wrapper: String? = nil, interruptAfter: UInt64? = nil
  ) throws -> ProgramRun {
    let words =
      command.path + CommandSample.of(command).words + ["--cluster", clusterFile, "--timeout", timeout] + more
    return try ProgramRun.of(words, device: device, wrapper: wrapper, interruptAfter: interruptAfter)
  }

  @Test("It tells a cluster that isn't there, another one, and one that refuses apart", .timeLimit(.minutes(3)))
  func failures() throws {
    let node = try OneNode()
    let other = try OneNode()
    let expired = "\(node.directory)/expired.kv"
    try node.kv(["cert", "issue", "late", "--role", "admin", "--ttl", "1s", "--to", expired])
    ProcessFacts.sleep(milliseconds: 2100)
    let table: [(why: String, file: String, code: ExitCode)] = [
      ("unreachable", try node.clusterFile(leadingTo: try LoopbackPort.free(1)[0]), .unavailable),
      ("another cluster", try node.clusterFile(leadingTo: other.port), .wrongPeer),
      ("expired", expired, .refused),
    ]
    for command in Self.reaching {
      for (why, file, code) in table {
        let run = try Self.run(command, file)
        #expect(run.status == code.rawValue && run.output == "" && run.errors.hasPrefix("kv: "), "\(why): \(run)")
        if code == .refused { #expect(run.errors.contains("expired"), "\(run)") }
      }
    }
  }

  @Test("On a cluster that answers, its JSON has the agreed shape, and it minds its output", .timeLimit(.minutes(3)))
  func output() throws {
    let node = try OneNode()
    try node.kv(["put", "seed", "value"])
    for command in Self.asking {
      let plain = try Self.run(command, node.clusterFile, timeout: "10s")
      let statuses = CommandSample.of(command).statuses
      #expect(statuses.contains(plain.status ?? -1), "\(plain)")
      #expect(!plain.output.contains("\u{1b}"), "\(plain)")
      let json = try Self.run(command, node.clusterFile, ["--json"], timeout: "10s")
      #expect(statuses.contains(json.status ?? -1), "\(json)")
      JSONLines.check(json)
      let full = try Self.run(command, node.clusterFile, ["--json"], timeout: "10s", device: "/dev/full")
      #expect(full.status == ExitCode.inputOutput.rawValue, "\(full)")
      let closed = try Self.run(
        command, node.clusterFile, ["--json"], timeout: "10s", wrapper: #"exec 3> >(:); wait $!; exec "$@" >&3"#)
      #expect(closed.status == ExitCode.inputOutput.rawValue, "\(closed)")
      #expect(closed.errors == "" || plain.errors != "", "\(closed)")
    }
  }

  @Test("Bytes are the same on a terminal but for what would harm it, and no colour is used")
  func terminal() throws {
    let node = try OneNode()
    try node.kv(["put", "seed", "value\u{1b}[31m"])
    let typescript = #"script -qec "$(printf '%q ' "$@")" /dev/null </dev/null"#
    for words in [["get", "seed"], ["range"], ["status"]] {
      let run = try ProgramRun.of(words + ["--cluster", node.clusterFile], wrapper: typescript)
      #expect(run.status == 0 && run.output != "" && !run.output.contains("\u{1b}"), "\(run)")
    }
  }

  @Test("Ctrl-C ends it at once, whatever it waits for", .timeLimit(.minutes(3)))
  func interrupt() throws {
    let node = try OneNode()
    node.freeze()
    defer { node.thaw() }
    for command in Self.reaching {
      let began = ProcessFacts.steadyMilliseconds
      let run = try Self.run(command, node.clusterFile, timeout: "30s", interruptAfter: 300)
      #expect(run.status == 130 && run.output == "", "\(run)")
      #expect(ProcessFacts.steadyMilliseconds - began < 5000, "\(run)")
    }
  }

  @Test("A node that is interrupted ends well")
  func node() throws {
    let place = try DirectoryTree.makeTemporary("kv-interrupt-")
    defer { DirectoryTree.remove(place) }
    let port = try LoopbackPort.free(1)[0]
    let run = try ProgramRun.of(
      ["serve", "-d", place, "--listen", "127.0.0.1:\(port)", "--log-level", "warning"], interruptAfter: 1500)
    #expect(run.status == 0 && run.output == "", "\(run)")
  }
}
