import FoundationEssentials
import Testing

@testable import Commands

/// The program as users have it: the built binary, real processes, shell scripts.
private enum Scripts {
  /// What operators do, and what a cluster lives through.
  static let ofClusters = [
    "backup", "certificates", "clocks", "completions", "debian", "page", "rotation", "upgrade", "node", "moved",
    "together", "members", "lanes", "recover", "recoverfrom", "parted", "oldcopy",
  ]
  /// What the commands do.
  static let ofCommands = [
    "bytes", "edges", "streams", "statuses", "packages", "strangers", "demo", "debug", "keep", "full", "damage",
    "twodamaged", "proof", "scopes", "snapshot", "snapshotfile", "snapshotpairs", "snapshotbackup", "resume", "history",
    "watch",
  ]
  static let folder = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "scripts").path

  static func run(_ name: String) throws {
    let log = try DirectoryTree.makeTemporary("kv-test-")
    defer { DirectoryTree.remove(log) }
    let process = try ChildProcess(
      "bash", [Array("\(folder)/\(name).sh".utf8)], output: .file("\(log)/output"), errors: .appending("\(log)/output"),
      environment: ["KV": TormentSettings.program])
    let status = process.wait()
    let words = (try? String(contentsOfFile: "\(log)/output", encoding: .utf8)) ?? ""
    #expect(status == 0, "\(name).sh ended with \(status):\n\(words)")
  }
}

// Two suites, for they run side by side: most of the time a script waits for something.

@Suite("Shell scripts of clusters", .serialized)
struct ClusterScriptTests {
  @Test("Every script is run here, or with the commands")
  func all() throws {
    let found = try FileManager.default.contentsOfDirectory(atPath: Scripts.folder).filter { $0 != "lib.sh" }
    #expect(found.sorted() == (Scripts.ofClusters + Scripts.ofCommands).map { "\($0).sh" }.sorted())
  }

  @Test("What operators do works as the pages say", .timeLimit(.minutes(4)), arguments: Scripts.ofClusters)
  func script(name: String) throws { try Scripts.run(name) }
}

@Suite("Shell scripts of commands", .serialized)
struct CommandScriptTests {
  @Test("The program does what the script expects", .timeLimit(.minutes(4)), arguments: Scripts.ofCommands)
  func script(name: String) throws { try Scripts.run(name) }
}
