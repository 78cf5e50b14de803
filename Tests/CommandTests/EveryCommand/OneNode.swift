import FoundationEssentials
import Glibc

@testable import Commands

/// A cluster of one node of the program under test, which ends with this object.
final class OneNode {
  let directory: String
  let port: Int
  private let process: ChildProcess

  /// The node's own cluster file, with an administrator's certificate.
  var clusterFile: String { "\(directory)/node/cluster.kv" }

  /// Starts a node and waits until it serves.
  init(_ options: [String] = []) throws {
    directory = try DirectoryTree.makeTemporary("kv-one-")
    port = try LoopbackPort.free(1)[0]
    let words =
      ["serve", "-d", "\(directory)/node", "--listen", "127.0.0.1:\(port)", "--stop-at-end-of-input"] + options
    process = try ChildProcess(
      TormentSettings.program, words.map { Array($0.utf8) }, holdsInput: true, output: .file("\(directory)/output"),
      errors: .file("\(directory)/log"))
    let run = try ProgramRun.of(["status", "--wait", "healthy", "--timeout", "60s", "--cluster", clusterFile])
    guard run.status == 0 else { throw CommandError.child("the node does not serve: \(run)\n\(log)") }
  }

  deinit {
    process.signal(SIGKILL)
    process.wait()
    DirectoryTree.remove(directory)
  }

  /// What the node has logged.
  var log: String { (try? String(contentsOf: URL(filePath: "\(directory)/log"), encoding: .utf8)) ?? "" }

  /// Stops the node in the middle of whatever it does, until `thaw`.
  func freeze() { process.signal(SIGSTOP) }
  func thaw() { process.signal(SIGCONT) }

  /// Runs a command on the cluster; it has to end well.
  @discardableResult
  func kv(_ words: [String]) throws -> String {
    let run = try ProgramRun.of(words + ["--cluster", clusterFile])
    guard run.status == 0 else { throw CommandError.child("\(run)") }
    return run.output
  }

  /// A copy of the cluster file that leads elsewhere.
  func clusterFile(leadingTo port: Int) throws -> String {
    let text = try String(contentsOf: URL(filePath: clusterFile), encoding: .utf8)
    let path = "\(directory)/to-\(port).kv"
    _ = try FileReplacement.write(path, permissions: 0o600) { (output) throws(CommandError) in
      try output.write(text.replacing("127.0.0.1:\(self.port)", with: "127.0.0.1:\(port)").utf8)
      return .done
    }
    return path
  }
}
