import Bytes
import Client
import Glibc
import Testing
import Wire

@testable import Commands

/// Three nodes of the program under test as child processes on loopback, made as a user makes them: `kv serve` in an
/// empty directory, `kv invite`, `kv join`.
///
/// The nodes end with this object, and with the test's process however it ends: they hold its pipe, and the kernel
/// wakes what is frozen in a process group that has lost its parent.
final class TormentCluster {
  /// How long a cluster may take to become healthy, in milliseconds: the bound of every wait here.
  static let healthMilliseconds: UInt64 = 60_000
  /// The lines of each node's log that a failure tells.
  private static let logLines = 25

  let directory: String
  private(set) var nodes: [ChildProcess] = []
  private let ports: [Int]
  /// What stands between the nodes, where anything does.
  let proxies: LinkProxies?
  /// The disk of the last node, where it has one of its own.
  let smallDisk: SmallDisk?

  /// Runs a test on a cluster of its own, and tells all there is to know if it fails.
  static func run(
    _ name: String, behindProxies: Bool = false, withSmallDisk: Bool = false,
    _ body: (TormentCluster, TormentReport) throws -> Void
  ) throws {
    let report = TormentReport(name)
    let cluster = try TormentCluster(behindProxies: behindProxies, withSmallDisk: withSmallDisk)
    defer { cluster.end() }
    do {
      try cluster.start()
      report.note("three nodes of \(TormentSettings.program) serve")
      try body(cluster, report)
      try cluster.awaitHealthy()
      try cluster.kv(["status", "--wait", "healthy"], output: "status")
    } catch {
      report.fail("\((error as? CommandError)?.message ?? "\(error)")")
    }
    if let failure = report.failure { Issue.record("\(failure)\n\(cluster.lastWords)") }
  }

  private init(nodes count: Int = 3, behindProxies: Bool, withSmallDisk: Bool) throws(CommandError) {
    ports = try LoopbackPort.free(count)
    proxies = behindProxies ? try LinkProxies(before: ports) : nil
    directory = try DirectoryTree.makeTemporary("kv-torment-")
    smallDisk = withSmallDisk ? SmallDisk(at: "\(directory)/node\(count)", mebibytes: 512) : nil
  }

  deinit { end() }

  /// Kills all nodes, frozen ones too, and removes what they left.
  func end() {
    for node in nodes {
      node.signal(SIGKILL)
      node.wait()
    }
    proxies?.stop()
    smallDisk?.unmount()
    DirectoryTree.remove(directory)
  }

  // MARK: One node

  /// Kills a node as a power cut would.
  func kill(_ index: Int) {
    nodes[index].signal(SIGKILL)
    nodes[index].wait()
  }

  /// Starts a node that was killed: its directory is all that it is told.
  func restart(_ index: Int) throws(CommandError) {
    nodes[index] = try spawn(index, ["serve"])
  }

  /// Stops a node in the middle of whatever it does, until `thaw`.
  func freeze(_ index: Int) { nodes[index].signal(SIGSTOP) }
  func thaw(_ index: Int) { nodes[index].signal(SIGCONT) }

  /// Where a node listens.
  func address(_ index: Int) -> String { "127.0.0.1:\(ports[index])" }
  func port(_ index: Int) -> Int { ports[index] }

  /// How many descriptors each node has open.
  var openDescriptors: [Int] { nodes.map { DirectoryTree.entries("/proc/\($0.pid)/fd").count } }

  // MARK: All of them

  /// The cluster file, with the addresses of all nodes: any of them may be down.
  func file(only index: Int? = nil) throws(CommandError) -> ClusterFile {
    do throws(ClusterFileError) {
      let file = try ClusterFile.load("\(directory)/node1/cluster.kv")
      return ClusterFile(
        cluster: file.cluster, addresses: index.map { [address($0)] } ?? ports.indices.map(address),
        authority: file.authority, certificate: file.certificate, privateKey: file.privateKey)
    } catch {
      throw .clusterFile(error)
    }
  }

  /// A client for looks at the cluster.
  func client() throws(CommandError) -> Client {
    Client(try file(), timeoutMilliseconds: HealthWait.lookMilliseconds)
  }

  /// Waits until `kv status` would say that all is well, as long as all nodes run.
  func awaitHealthy() throws(CommandError) {
    let table = try HealthWait.untilHealthy(client(), milliseconds: TormentCluster.healthMilliseconds) {
      _ throws(CommandError) in
      try self.check()
    }
    guard table.health.isHealthy, table.reports.count == ports.count else {
      throw .notInTime("the cluster does not become healthy:\n\(table.text)")
    }
  }

  /// Fails if a node has ended by itself.
  func check() throws(CommandError) {
    for (index, node) in nodes.enumerated() where !node.isRunning {
      throw .child("node \(index + 1), process \(node.pid), has ended with status \(node.status ?? 0)")
    }
  }

  // MARK: Beginning

  private func start() throws(CommandError) {
    for index in ports.indices {
      var listen = ["--listen", address(index)]
      if let proxies { listen += ["--advertise", "127.0.0.1:\(proxies.ports[index])"] }
      if index == 0 {
        nodes.append(try spawn(index, ["serve"] + listen))
      } else {
        nodes.append(try spawn(index, ["join", try invitation()] + listen))
      }
      try awaitMembers(index + 1)
    }
    try awaitHealthy()
  }

  /// Runs a command of the program that has to end well; gives what it prints.
  @discardableResult
  private func kv(_ command: [String], output name: String) throws(CommandError) -> String {
    let (output, errors) = ("\(directory)/\(name)", "\(directory)/\(name).log")
    let process = try ChildProcess(
      TormentSettings.program, (command + ["--cluster", "\(directory)/node1/cluster.kv"]).map { Array($0.utf8) },
      output: .file(output), errors: .file(errors))
    let status = process.wait()
    let words = try [output, errors].map { path throws(CommandError) in
      String(decoding: try InputStream(opening: path).all(limit: 1 << 16) ?? [], as: UTF8.self)
    }
    guard status == 0 else {
      throw .child("kv \(command.joined(separator: " ")) ended with status \(status): \(words.joined())")
    }
    return words[0]
  }

  /// The token of the command that `kv invite` prints.
  private func invitation() throws(CommandError) -> String {
    let words = try kv(["invite"], output: "invitation")
    let prefix = "kv join "
    guard words.hasPrefix(prefix), words.hasSuffix("\n") else {
      throw .child("kv invite printed '\(words)'")
    }
    return String(words.dropFirst(prefix.count).dropLast())
  }

  /// Waits until so many members are known and answer: health is judged among those that are known.
  private func awaitMembers(_ count: Int) throws(CommandError) {
    let deadline = ProcessFacts.steadyMilliseconds + TormentCluster.healthMilliseconds
    while ProcessFacts.steadyMilliseconds < deadline {
      try check()
      if let reports = try? client().status(), reports.count == count, reports.allSatisfy({ $0.status != nil }) {
        return
      }
      ProcessFacts.sleep(milliseconds: 50)
    }
    throw .notInTime("node \(count) does not become a member")
  }

  private func spawn(_ index: Int, _ command: [String]) throws(CommandError) -> ChildProcess {
    let words = command + ["-d", "\(directory)/node\(index + 1)", "--stop-at-end-of-input"]
    let log = "\(directory)/node\(index + 1).log"
    let node = try ChildProcess(
      TormentSettings.program, words.map { Array($0.utf8) }, holdsInput: true, output: .appending(log),
      errors: .appending(log))
    proxies?.register(node.pid, as: index)
    return node
  }

  /// The ends of the nodes' logs.
  private var lastWords: String {
    ports.indices.map { index in
      let input = try? InputStream(opening: "\(directory)/node\(index + 1).log")
      let bytes = (try? input?.all(limit: 1 << 26)) ?? []
      let lines = bytes.split(separator: UInt8(ascii: "\n")).suffix(TormentCluster.logLines)
      return "The end of the log of node \(index + 1):\n"
        + lines.map { "  " + Escaping.text(Array($0)) }.joined(separator: "\n")
    }.joined(separator: "\n")
  }
}
