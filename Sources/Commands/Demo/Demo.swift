import ArgumentParser
import Bytes
import Glibc

/// `kv demo`: a cluster to play with, on this machine.
struct DemoCommand: Executable {
  static let configuration = CommandConfiguration(
    commandName: "demo", abstract: "Run a cluster of several nodes on this machine until interrupted.")

  @OptionGroup var global: GlobalOptions

  @Option(
    name: [.short, .long], help: ArgumentHelp("Where the nodes keep their data; else a new one.", valueName: "dir"),
    completion: .directory)
  var directory: ArgumentBytes?

  @Option(help: ArgumentHelp("How many nodes.", valueName: "count"))
  var nodes = 3

  @Option(help: ArgumentHelp("The first node's port; the others follow. Else free ones.", valueName: "port"))
  var port: Int?

  @Flag(help: "Show what kv does on real data, check every answer, and end.")
  var tour = false

  @Option(help: ArgumentHelp("With --tour: at most so many records.", valueName: "count"))
  var records: Int?

  mutating func validate() throws {
    guard (1...9).contains(nodes) else { throw ValidationError("--nodes takes a number from 1 to 9") }
    if let port, !(1...(65_536 - nodes)).contains(port) { throw ValidationError("--port takes a port number") }
    if let records, records < 1 || !tour { throw ValidationError("--records takes a number from 1 on, with --tour") }
    if tour, nodes < 3 { throw ValidationError("--tour kills a node, so that it needs three") }
  }

  func execute(_ output: OutputStream) throws(CommandError) -> ExitCode {
    let stop = StopSignals()
    let place = try chosenDirectory()
    let ports = if let port { Array(port..<port + nodes) } else { try LoopbackPort.free(nodes) }
    let cluster = DemoCluster(directory: place, ports: ports, stop: stop)
    let code: ExitCode
    do throws(CommandError) {
      code = try run(cluster, stop, output)
    } catch {
      _ = cluster.stopAll()
      if case .interrupted = error { return interrupted }
      global.say("what is left of the demo is in \(place)")
      throw error
    }
    guard cluster.stopAll() else { throw .child("a node of the demo did not stop well; its log is in \(place)") }
    if tour, directory == nil { DirectoryTree.remove(place) } else { global.say("stopped; the data is in \(place)") }
    return code
  }

  /// An interrupted tour has not shown what it was asked to show.
  private var interrupted: ExitCode { tour ? .inputOutput : .done }

  private func run(
    _ cluster: DemoCluster, _ stop: StopSignals, _ output: OutputStream
  ) throws(CommandError) -> ExitCode {
    var progress = ProgressLine(quiet: global.quiet)
    global.say("starting \(counted(nodes, "node")) in \(cluster.directory)")
    try cluster.start(&progress)
    progress.clear()
    global.say("the cluster is healthy; its nodes: \(try cluster.addresses().joined(separator: ", "))")
    if tour {
      return try Tour(cluster: cluster, global: global, most: records).run(output)
    }
    explain(cluster)
    try cluster.keepRunning(global)
    global.say("stopping")
    return .done
  }

  private func explain(_ cluster: DemoCluster) {
    global.say(
      """
      in another terminal:
        export KV_CLUSTER=\(cluster.clusterFile)
        kv put greeting hello
        kv get greeting
        kv range
        kv status
      kv: Ctrl-C stops all nodes
      """)
  }

  private func chosenDirectory() throws(CommandError) -> String {
    guard let directory else { return try DirectoryTree.makeTemporary("kv-demo-") }
    let path = directory.text
    guard mkdir(path, 0o700) == 0 || errno == EEXIST else { throw .file(operation: "create", path: path, code: errno) }
    guard DemoCluster.mayUse(path) else {
      throw .usage("\(path) holds something else than a demo of before: name an empty directory")
    }
    // The nodes' directories outlive the working directory of whoever reads this path in a message.
    guard let resolved = realpath(path, nil) else { throw .file(operation: "open", path: path, code: errno) }
    defer { free(resolved) }
    return String(cString: resolved)
  }
}
