import FoundationEssentials
import Testing

@testable import Commands

/// The program as users have it: the built binary, real processes, shell scripts.
@Suite("Shell scripts", .serialized)
struct ScriptTests {
  private static let ofOperators = [
    "backup", "certificates", "clocks", "completions", "debian", "page", "rotation", "upgrade",
  ]
  private static let ofCommands = [
    "bytes", "edges", "statuses", "node", "moved", "together", "packages", "strangers", "demo", "debug", "keep", "full",
    "damage", "proof", "scopes", "members", "lanes", "snapshot", "snapshotfile", "snapshotpairs", "snapshotbackup",
    "resume", "recover", "recoverfrom", "history", "watch",
  ]
  private static let folder = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "scripts").path

  @Test("Every script is run here")
  func all() throws {
    let found = try FileManager.default.contentsOfDirectory(atPath: ScriptTests.folder).filter { $0 != "lib.sh" }
    #expect(found.sorted() == (ScriptTests.ofOperators + ScriptTests.ofCommands).map { "\($0).sh" }.sorted())
  }

  @Test("What operators do works as the pages say", .timeLimit(.minutes(4)), arguments: ofOperators)
  func operations(name: String) throws {
    try script(name: name)
  }

  @Test("The program does what the script expects", .timeLimit(.minutes(4)), arguments: ofCommands)
  func script(name: String) throws {
    let script = "\(ScriptTests.folder)/\(name).sh"
    let log = try DirectoryTree.makeTemporary("kv-test-")
    defer { DirectoryTree.remove(log) }
    let process = try ChildProcess(
      "bash", [Array(script.utf8)], output: .file("\(log)/output"), errors: .appending("\(log)/output"),
      environment: ["KV": TormentSettings.program])
    let status = process.wait()
    let words = (try? String(contentsOfFile: "\(log)/output", encoding: .utf8)) ?? ""
    #expect(status == 0, "\(name).sh ended with \(status):\n\(words)")
  }
}
