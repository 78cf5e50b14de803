import Bytes
import Client
import Environment
import Logging
import NIOCore
import NIOPosix
import Node
import TLS
import Transport
import Wire

/// Runs nodes.
public enum Server {
  /// Runs a node until SIGTERM or SIGINT; blocks. In an empty directory it makes a cluster first. `announce` gets one
  /// line once the node serves.
  public static func serve(_ options: ServeOptions, announce: @escaping @Sendable (String) -> Void) throws(ServerError)
  {
    // Before any thread is made, so that all of them leave the signals to the one that waits for them.
    let signals = StopSignals()
    Scheduling.preferLongTurns()
    Memory.keepFreed()
    let disk = PosixDisk()
    try refuseForeign(options.directory, on: disk)
    let lock = try lockDirectory(options.directory, on: disk)
    let isNew = try prepare(options, on: disk)
    let opened: OpenedDirectory
    do {
      var layout = NodeOptions()
      if let bytes = options.splitBytes { layout.splitBytes = .bytes(Int(clamping: bytes)) }
      opened = try OpenedDirectory.open(
        options.directory, on: disk, cacheBytes: options.cacheBytes, options: layout, lock: lock)
    } catch {
      throw .node(error)
    }
    try run(opened, options, isNew: isNew, signals, announce)
    withExtendedLifetime(lock) {}
  }

  /// Enrols with a token and makes the directory; `serve` runs the node then.
  public static func join(token text: String, _ options: ServeOptions) throws(ServerError) {
    let disk = PosixDisk()
    try refuseForeign(options.directory, on: disk)
    let lock = try lockDirectory(options.directory, on: disk)
    guard try kind(options.directory, on: disk) == .empty else {
      do throws(NodeError) {
        try NodeIdentity.read(from: options.directory, on: disk).checkMember(of: options.directory)
      } catch {
        throw .node(error)
      }
      throw .usage("\(options.directory) is a node's already: run it with kv serve -d \(options.directory)")
    }
    try refuseHalfRestored(options.directory, on: disk)
    let token: JoinToken
    do throws(JoinTokenError) {
      token = try JoinToken(parsing: text)
    } catch {
      throw .token(error)
    }
    let listen = try Address.choose(options.listen)
    let address = try Address.advertised(options.advertise, listen: listen)
    // The token is spent and the cluster counts on the node from there on: what can fail here must fail first.
    try check(listen, options)
    try Enrolment.enrol(token, listen: listen, address: address, options, on: disk)
    withExtendedLifetime(lock) {}
  }

  /// The number of the node whose directory this is.
  public static func nodeNumber(ofDirectory directory: String) throws(ServerError) -> UInt32 {
    do throws(NodeError) {
      return try NodeIdentity.read(from: directory, on: PosixDisk()).nodeID.rawValue
    } catch {
      throw .node(error)
    }
  }

  private static func lockDirectory(_ directory: String, on disk: any Disk) throws(ServerError) -> DirectoryLock {
    do throws(DiskError) {
      try disk.createDirectory(directory)
    } catch {
      throw .node(.disk(error))
    }
    do throws(DirectoryLockError) {
      return try DirectoryLock(directory: directory)
    } catch {
      throw .locked(error)
    }
  }

  private static func kind(_ directory: String, on disk: any Disk) throws(ServerError) -> NodeDirectory.Kind {
    do throws(NodeError) {
      return try NodeDirectory.kind(of: directory, on: disk)
    } catch {
      throw .node(error)
    }
  }

  /// A directory of something else is left as it is, without even a lock file.
  private static func refuseForeign(_ directory: String, on disk: any Disk) throws(ServerError) {
    if case .foreign(let words) = try kind(directory, on: disk) {
      throw .node(.foreign(path: directory, words: words))
    }
  }

  private static func refuseHalfRestored(_ directory: String, on disk: any Disk) throws(ServerError) {
    guard NodeDirectory.isRestoring(directory, on: disk) else { return }
    throw .node(
      .foreign(
        path: directory,
        words:
          "kv serve --from was begun here and did not end: do it again with the same files, or remove the directory"
      ))
  }

  private static func refuseHalfJoined(_ directory: String, on disk: any Disk) throws(ServerError) {
    do throws(NodeError) {
      guard try NodeDirectory.joiningKey(directory, on: disk) != nil else { return }
      throw .foreign(
        path: directory,
        words: "kv join was begun here and did not end: do it again with the same token; if that is too old, have what "
          + "kv status shows of this node removed by kv leave --lost, and join from an empty directory")
    } catch {
      throw .node(error)
    }
  }

  /// Makes a cluster in an empty directory, or checks that the flags fit a directory that is a node's. Says whether the
  /// cluster is new.
  private static func prepare(_ options: ServeOptions, on disk: any Disk) throws(ServerError) -> Bool {
    switch try kind(options.directory, on: disk) {
    case .empty:
      try refuseHalfJoined(options.directory, on: disk)
      if options.from.isEmpty { try refuseHalfRestored(options.directory, on: disk) }
      let listen = try Address.choose(options.listen)
      let address = try Address.advertised(options.advertise, listen: listen)
      try check(listen, options)
      try ClusterMaker.make(options, listen: listen, address: address, on: disk)
      return true
    case .node:
      guard options.from.isEmpty else {
        throw .usage(
          "--from makes a new cluster, and \(options.directory) is a node's already: name an empty directory")
      }
      do throws(NodeError) {
        try NodeDirectory.removeMarks(options.directory, on: disk)
      } catch {
        throw .node(error)
      }
      try moveIfAsked(options, on: disk)
    case .foreign: try refuseForeign(options.directory, on: disk)
    }
    return false
  }

  /// Sees to it that the node can listen where it is to.
  private static func check(_ listen: HostPort, _ options: ServeOptions) throws(ServerError) {
    var metrics: HostPort?
    if let wanted = options.metrics { metrics = try MonitorServer.address(wanted) }
    try Address.check(listen, metrics: metrics)
  }

  /// Notes in a node's directory that it listens, or is reached, elsewhere from now on; the node tells the catalog.
  private static func moveIfAsked(_ options: ServeOptions, on disk: any Disk) throws(ServerError) {
    let known: WireNodeIdentity
    do throws(NodeError) {
      known = try NodeIdentity.read(from: options.directory, on: disk).stored
    } catch {
      throw .node(error)
    }
    var identity = known
    let listen = try Address.moved(from: identity.listen, to: options.listen)
    try check(listen, options)
    if options.advertise != nil || "\(listen)" != identity.listen {
      identity.address = try Address.advertised(options.advertise, listen: listen)
    }
    identity.listen = "\(listen)"
    // A full disk takes no writes, and the node starts all the same.
    guard identity != known else { return }
    do throws(NodeError) {
      try NodeIdentity.write(identity, to: options.directory, on: disk)
    } catch {
      throw .node(error)
    }
  }

  private static func run(
    _ opened: OpenedDirectory, _ options: ServeOptions, isNew: Bool, _ signals: StopSignals,
    _ announce: @escaping @Sendable (String) -> Void
  ) throws(ServerError) {
    let stored = opened.identity.stored
    let listen = try Address.choose(stored.listen)
    let revocations = Revocations()
    let credentials = try CertificateRenewal.replacingExpired(
      NodeCredentials.load(from: options.directory, on: PosixDisk()), opened, options.directory)
    try credentials.check(node: opened.identity.nodeID, of: stored.cluster, in: options.directory)
    let context = try credentials.serverContext(cluster: stored.cluster, revocations: revocations)
    var logger = Logger(label: "kv")
    logger[metadataKey: "node"] = "\(stored.node)"
    if !isNew, options.partitions != nil {
      logger.warning("the number of partitions is of a new cluster, and has no effect on this one; kv split makes more")
    }
    let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
    let loop = group.next()
    let (keep, place, moveRate) = (options.keepMilliseconds, options.place, options.moveRate)
    let connections = Descriptors.connections(of: Descriptors.raiseLimit())
    let runner = try NodeRunner(
      loop: loop, opened: opened, credentials: credentials, revocations: revocations, logger: logger, options: options)
    // SAFETY of the transfer: from here on the runner is touched on the loop alone; this thread only waits.
    let bound = UncheckedTransfer(runner)
    do {
      try loop.flatSubmit { [logger] in
        Listener.bind(
          host: listen.host, port: listen.port, context: context, loop: loop, limit: connections, logger: logger,
          makeReceiver: { bound.value.accept($0) }
        ).flatMapThrowing {
          try bound.value.start($0)
          if let keep { bound.value.node.keepVersions(milliseconds: keep) }
          bound.value.node.wantsPlace(zone: place.zone, weight: place.weight)
          if let moveRate { bound.value.node.limitMoves(bytesPerSecond: moveRate) }
        }
      }.wait()
    } catch let error as NodeError {
      throw .node(error)
    } catch TransportError.bind(_, let why) {
      throw .listen(address: "\(listen)", words: why)
    } catch {
      throw .listen(address: "\(listen)", words: "\(error)")
    }
    let monitor = try startMonitor(options.metrics, bound, logger)
    let manager = ServiceManager(socket: options.notifySocket)
    announce(greeting(opened, listen, options.directory))
    manager.tell("READY=1\nSTATUS=serves on \(listen)")
    signals.wait()
    manager.tell("STOPPING=1\nSTATUS=handing leaderships over")
    let stopped = loop.makePromise(of: Void.self)
    loop.execute { bound.value.stop { stopped.succeed() } }
    try? stopped.futureResult.wait()
    monitor?.stop()
    bound.value.stopWorkers()
    try? group.syncShutdownGracefully()
    logger.info("stopped")
    guard let departure = runner.departure else { return }
    guard departure == .leaves else {
      throw .node(
        .departed(path: options.directory, node: opened.identity.nodeID, cluster: stored.cluster, departure))
    }
    announce("kv: node \(stored.node) has left cluster \(stored.cluster)")
  }

  private static func startMonitor(
    _ wanted: String?, _ runner: UncheckedTransfer<NodeRunner>, _ logger: Logger
  ) throws(ServerError) -> MonitorServer? {
    guard let wanted else { return nil }
    let address = try MonitorServer.address(wanted)
    let loop = runner.value.loop
    let monitor = MonitorServer { loop.submit { runner.value.snapshot() } }
    let port = try monitor.start(on: address)
    logger.info("metrics and status page on http://\(HostPort(host: address.host, port: port))/")
    return monitor
  }

  private static func greeting(_ opened: OpenedDirectory, _ listen: HostPort, _ directory: String) -> String {
    let file = NodeDirectory.clusterFilePath(directory)
    let start = "kv: node \(opened.identity.nodeID) of cluster \(opened.identity.cluster) serves on \(listen)"
    guard PosixDisk().exists(file) else { return start }
    return "\(start); try: kv --cluster \(Shell.quoted(file)) put greeting hello"
  }
}

/// Carries a reference to another thread.
///
/// SAFETY: for one that is handed over once and used there alone from then on.
struct UncheckedTransfer<Value>: @unchecked Sendable {
  let value: Value

  init(_ value: Value) {
    self.value = value
  }
}
