import Bytes
import Client
import Glibc
import Wire

/// A cluster of child processes in one directory, a subdirectory for each node.
final class DemoCluster {
  let directory: String
  /// The nodes' processes, in the order of their directories.
  private(set) var nodes: [ChildProcess] = []
  /// Where the nodes listen, on 127.0.0.1.
  let ports: [Int]
  private let stop: StopSignals

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

  /// Stops every node, the last one first, and tells whether all ended well.
  func stopAll() -> Bool {
    for node in nodes.reversed() { node.signal(SIGTERM) }
    let deadline = ProcessFacts.steadyMilliseconds + DemoCluster.stopMilliseconds
    var allWell = true
    for node in nodes {
      let now = ProcessFacts.steadyMilliseconds
      if node.wait(milliseconds: deadline > now ? deadline - now : 0) == nil {
        node.signal(SIGKILL)
        node.wait()
      }
      allWell = allWell && node.status == 0
    }
    return allWell
  }

  /// Gives up if a node has ended by itself, or somebody interrupts.
  func check() throws(CommandError) {
    try checkInterrupt()
    for (index, node) in nodes.enumerated() where !node.isRunning {
      throw .child(
        "node \(index + 1) of the demo has ended with status \(node.status ?? 0); its log: \(log(index))\(lastWords(index))"
      )
    }
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
