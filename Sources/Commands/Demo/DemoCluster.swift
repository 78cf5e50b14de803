import Bytes
import Client
import Glibc
import Wire

/// A cluster of child processes in one directory, a subdirectory for each node.
final class DemoCluster {
  let directory: String
  /// The nodes' processes, in the order of their directories.
  private(set) var nodes: [ChildProcess] = []
  /// Where new nodes are to listen, on 127.0.0.1.
  let ports: [Int]
  private let stop: StopSignals
  /// Of each node how often it has ended, once the demo keeps them running.
  private var restarts: [NodeRestarts] = []

  /// How long a node may take to start, and a cluster to become healthy, in milliseconds.
  private static let startMilliseconds: UInt64 = 60_000
  /// How long a node may take to stop once it is told to, in milliseconds.
  private static let stopMilliseconds: UInt64 = 20_000

  /// A cluster that isn't started yet. A directory that an earlier demo used is used again.
  init(directory: String, ports: [Int], stop: StopSignals) {
    self.directory = directory
    self.ports = ports
    self.stop = stop
  }

  /// The cluster file, which names all nodes: any of them may be down.
  var clusterFile: String { "\(directory)/cluster.kv" }
  /// Where commands of the tour keep what saves them time.
  var stateHome: String { "\(directory)/state" }

  /// The cluster file that the first node made, which names that node alone.
  private var firstClusterFile: String { "\(nodeDirectory(0))/cluster.kv" }

  /// A client of the cluster, which keeps nothing outside the directory.
  func client() throws(CommandError) -> Client {
    Client(try loadClusterFile(), timeoutMilliseconds: HealthWait.lookMilliseconds)
  }

  /// Where the members listen, once the cluster is started.
  func addresses() throws(CommandError) -> [String] { try loadClusterFile().addresses }

  private func loadClusterFile() throws(CommandError) -> ClusterFile {
    do throws(ClusterFileError) {
      return try ClusterFile.load(access(clusterFile, F_OK) == 0 ? clusterFile : firstClusterFile)
    } catch {
      throw .clusterFile(error)
    }
  }

  /// Writes the cluster file anew, with the addresses of all members.
  private func writeClusterFile() throws(CommandError) {
    let client = try client()
    let members = try asking { () throws(ClientError) in try client.map() }.members
    let old = try loadClusterFile()
    let file = ClusterFile(
      cluster: old.cluster, addresses: members.map(\.address), authority: old.authority,
      pastAuthorities: old.pastAuthorities,
      certificate: old.certificate, privateKey: old.privateKey)
    _ = try FileReplacement.write(clusterFile, permissions: 0o600) { (output) throws(CommandError) in
      try output.write(file.text.utf8)
      return .done
    }
  }

  /// Starts every node and waits until the cluster is healthy.
  func start(_ progress: inout ProgressLine) throws(CommandError) {
    for index in ports.indices {
      if isNew(index), index > 0 {
        try waitUntilHealthy(&progress)
        let client = try client()
        let token = try asking { () throws(ClientError) in
          try client.invite(ttlMilliseconds: DemoCluster.startMilliseconds)
        }
        try spawn(index, ["join", "-"], input: Array((token + "\n").utf8))
        try waitUntilMember(index, &progress)
      } else {
        try spawn(index, ["serve"], input: [])
      }
    }
    try waitUntilHealthy(&progress)
    try writeClusterFile()
  }

  /// Kills a node as a power cut would.
  func killNode(_ index: Int) {
    nodes[index].signal(SIGKILL)
    nodes[index].wait()
  }

  /// Starts a node that was killed.
  func restartNode(_ index: Int) throws(CommandError) {
    try spawn(index, ["serve"], input: [])
  }

  /// Waits until the cluster is healthy, as long as all nodes run and nobody interrupts.
  func waitUntilHealthy(_ progress: inout ProgressLine) throws(CommandError) {
    try waitUntilAnswering()
    let table = try HealthWait.untilHealthy(client(), milliseconds: DemoCluster.startMilliseconds) {
      (problem) throws(CommandError) in
      progress.show("waiting: \(problem)")
      try check()
    }
    guard table.health.isHealthy else {
      throw .notInTime("the demo's cluster is not healthy: \(table.health.problems.joined(separator: "; "))")
    }
  }

  /// Starts nodes again that end, until somebody interrupts; gives up on one that keeps ending.
  func keepRunning(_ global: GlobalOptions) throws(CommandError) {
    restarts = nodes.map { _ in NodeRestarts(startedAt: ProcessFacts.steadyMilliseconds) }
    repeat {
      for index in nodes.indices where !nodes[index].isRunning { try keepRunning(index, global) }
    } while !stop.came(within: 200)
  }

  private func keepRunning(_ index: Int, _ global: GlobalOptions) throws(CommandError) {
    let now = ProcessFacts.steadyMilliseconds
    if let due = restarts[index].dueAt {
      guard now >= due else { return }
      try restartNode(index)
      restarts[index].started(at: now)
      global.say("node \(index + 1) runs again, as process \(nodes[index].pid)")
    } else {
      guard restarts[index].ended(at: now, hasLeft: hasLeft(index)) else { throw .child(end(of: index)) }
      let next = hasLeft(index) ? "and the others go on without it" : "and is started again in a second"
      StandardError.say(end(of: index, next))
    }
  }

  /// Whether a node that was a member has ended because the cluster takes it in no more.
  private func hasLeft(_ index: Int) -> Bool {
    nodes[index].status == Int32(ExitCode.refused.rawValue) && !isNew(index)
  }

  /// What is told of a node that has ended, and what comes of it.
  private func end(of index: Int, _ next: String? = nil) -> String {
    let status = "node \(index + 1) of the demo has ended with status \(nodes[index].status ?? 0)"
    return "\(status)\(next.map { " \($0)" } ?? ""); its log: \(log(index))\(lastWords(index))"
  }

  /// Stops every node, the last one first, and tells whether all ended well of whose end nothing was told before.
  func stopAll() -> Bool {
    for node in nodes.reversed() { node.signal(SIGTERM) }
    let deadline = ProcessFacts.steadyMilliseconds + DemoCluster.stopMilliseconds
    var allWell = true
    for (index, node) in nodes.enumerated() {
      let now = ProcessFacts.steadyMilliseconds
      if node.wait(milliseconds: deadline > now ? deadline - now : 0) == nil {
        node.signal(SIGKILL)
        node.wait()
      }
      let wasTold = index < restarts.count && restarts[index].dueAt != nil
      allWell = allWell && (node.status == 0 || wasTold)
    }
    return allWell
  }

  /// Gives up if a node has ended by itself that has not left, or somebody interrupts.
  func check() throws(CommandError) {
    try checkInterrupt()
    for index in nodes.indices where !nodes[index].isRunning && !hasLeft(index) { throw .child(end(of: index)) }
  }

  /// Gives up if somebody interrupts.
  func checkInterrupt() throws(CommandError) {
    if stop.came(within: 0) { throw .interrupted }
  }

  private func nodeDirectory(_ index: Int) -> String { "\(directory)/node\(index + 1)" }
  private func log(_ index: Int) -> String { "\(directory)/node\(index + 1).log" }

  /// Whether a node has never run here.
  private func isNew(_ index: Int) -> Bool { access("\(nodeDirectory(index))/identity", F_OK) != 0 }

  /// The last line of a node's log, for an error.
  private func lastWords(_ index: Int) -> String {
    guard let input = try? InputStream(opening: log(index)), let bytes = try? input.all(limit: 1 << 20),
      let line = bytes.split(separator: UInt8(ascii: "\n")).last
    else { return "" }
    return "\n" + Escaping.text(Array(line))
  }

  private func spawn(_ index: Int, _ command: [String], input: [UInt8]) throws(CommandError) {
    let listen = isNew(index) ? ["--listen", "127.0.0.1:\(ports[index])"] : []
    let node = try ChildProcess(
      ChildProcess.thisProgram,
      (command + ["-d", nodeDirectory(index), "--stop-at-end-of-input"] + listen).map { Array($0.utf8) },
      input: input, holdsInput: true, output: .appending(log(index)), errors: .appending(log(index)),
      environment: NodeSettings.none)
    if index < nodes.count { nodes[index] = node } else { nodes.append(node) }
  }

  /// Waits until the first node has made the cluster file.
  private func waitUntilAnswering() throws(CommandError) {
    let deadline = ProcessFacts.steadyMilliseconds + DemoCluster.startMilliseconds
    while access(firstClusterFile, R_OK) != 0 {
      try check()
      guard ProcessFacts.steadyMilliseconds < deadline else { throw .notInTime("the first node doesn't start") }
      ProcessFacts.sleep(milliseconds: 20)
    }
  }

  /// Waits until a node that joins is one of the members, so that health is judged with it.
  private func waitUntilMember(_ index: Int, _ progress: inout ProgressLine) throws(CommandError) {
    let client = try client()
    let deadline = ProcessFacts.steadyMilliseconds + DemoCluster.startMilliseconds
    while ProcessFacts.steadyMilliseconds < deadline {
      try check()
      progress.show("node \(index + 1) joins")
      if let members = try? client.status(), members.count > index, members.allSatisfy({ $0.status != nil }) { return }
      ProcessFacts.sleep(milliseconds: 50)
    }
    throw .notInTime("node \(index + 1) doesn't become a member; its log: \(log(index))\(lastWords(index))")
  }
}

extension DemoCluster {
  /// Whether a directory is empty, or holds a demo of before, or what is left of one that didn't come to start.
  static func mayUse(_ directory: String) -> Bool {
    let leftovers = (1...9).flatMap { ["node\($0)", "node\($0).log"] }
    return access("\(directory)/node1/identity", F_OK) == 0
      || DirectoryTree.entries(directory).allSatisfy { leftovers.contains($0.name) }
  }

  /// The place of the node that leads the most partitions, by its process id.
  func busiestLeader() throws(CommandError) -> Int? {
    let client = try client()
    let reports = try asking { () throws(ClientError) in try client.status() }
    let busiest = reports.compactMap(\.status).max { left, right in
      left.groups.count { $0.role == .leader } < right.groups.count { $0.role == .leader }
    }
    return nodes.firstIndex { UInt64($0.pid) == busiest?.pid }
  }
}
