import FoundationEssentials
import Testing

@testable import Commands

/// The program as users have it: the built binary, real processes, shell scripts.
@Suite("Shell scripts", .serialized)
struct ScriptTests {
  @Test(
    "What operators do works as the pages say", .timeLimit(.minutes(4)),
    arguments: ["backup", "certificates", "clocks", "completions", "debian", "page", "rotation", "upgrade"])
  func operations(name: String) throws {
    try script(name: name)
  }

  @Test(
    "The program does what the script expects", .timeLimit(.minutes(4)),
    arguments: [
      "bytes", "edges", "statuses", "node", "moved", "together", "packages", "strangers", "demo", "debug", "keep",
      "full", "damage",
      "proof",
      "members", "lanes", "snapshot", "snapshotfile", "snapshotpairs", "snapshotbackup", "resume", "recover", "history",
      "watch",
    ])
  func script(name: String) throws {
    let script = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "scripts/\(name).sh").path
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
