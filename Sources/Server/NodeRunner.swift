import Bytes
import Client
import Environment
import Glibc
import Logging
import NIOCore
import Node
import TLS
import Transport
import Wire

/// A running node: the `Node` on its event loop, with real sockets, threads and clocks around it. It executes and
/// decides nothing.
///
/// Everything of it is touched on `loop` alone.
final class NodeRunner: NodeHost {
  let loop: any EventLoop
  let logger: Logger
  let clock: any Clock = SystemClock()
  private(set) var clientContext: TLSContext
  private let systemAuthority: SystemAuthority
  let revocations: Revocations
  private lazy var renewal = CertificateRenewal(runner: self, directory: directory)
  private let directory: String
  private let opened: OpenedDirectory
  private let clusterFilePath: String
  private let workers: Workers
  private var links: [NodeID: PeerLink] = [:]
  private var listener: Listener?
  private var ticker: RepeatedTask?
  private var isPumpScheduled = false
  private(set) var isStopping = false
  /// How long requests took.
  var requests = RequestMeter()
  private(set) lazy var node = Node(host: self, opened: opened)

  init(
    loop: any EventLoop, opened: OpenedDirectory, credentials: NodeCredentials, revocations: Revocations,
    logger: Logger, options: ServeOptions
  ) throws(ServerError) {
    directory = options.directory
    self.revocations = revocations
    clusterFilePath = directory + "/cluster.kv"
    self.loop = loop
    self.opened = opened
    self.logger = logger
    workers = Workers(loop: loop)
    clientContext = try credentials.clientContext(cluster: opened.identity.cluster, revocations: revocations)
    systemAuthority = SystemAuthority(
      credentials: credentials, nodeLifetimeSeconds: options.certificateLifetimeSeconds)
  }

  /// Starts the node behind a listener that is already bound.
  func start(_ listener: Listener) throws(NodeError) {
    self.listener = listener
    try node.start(opened)
    let interval = TimeAmount.milliseconds(Int64(Node.tickMilliseconds))
    let bound = NIOLoopBound(self, eventLoop: loop)
    ticker = loop.scheduleRepeatedTask(initialDelay: interval, delay: interval) { _ in bound.value.tick() }
  }

  /// The established connections that others have made to this node.
  var connectionCount: Int { listener?.connections.count ?? 0 }
  /// The other nodes to which there is a connection.
  var connectedPeers: Int { links.values.count(where: \.isOpen) }

  private func tick() {
    for peer in links.keys.sorted() { links[peer]?.tick() }
    renewal.tick()
    node.tick()
  }

  /// A connection arrived.
  func accept(_ connection: FramedConnection) -> any FrameReceiver {
    InboundSession(runner: self, connection: connection)
  }

  /// Pumps the node at the end of the loop's turn: all that arrived in it shares one batch.
  func schedulePump() {
    guard !isPumpScheduled else { return }
    isPumpScheduled = true
    let bound = NIOLoopBound(self, eventLoop: loop)
    loop.execute {
      bound.value.isPumpScheduled = false
      bound.value.node.pump()
    }
  }

  /// A connection to a node, or one from it, broke or could not be made: whatever is under way between the two may be
  /// lost, for answers travel on either.
  func lostTouch(with peer: NodeID) {
    node.disconnected(peer)
    schedulePump()
  }

  // MARK: Identity

  /// The node's own certificate, and what it signs with the cluster's.
  var authority: any Authority { systemAuthority }
  /// The node's key and certificate.
  var credentials: NodeCredentials { systemAuthority.credentials }

  /// Has connections from now on use another certificate.
  func use(_ credentials: NodeCredentials) throws(ServerError) {
    let cluster = opened.identity.cluster
    let server = try credentials.serverContext(cluster: cluster, revocations: revocations)
    clientContext = try credentials.clientContext(cluster: cluster, revocations: revocations)
    listener?.context = server
    systemAuthority.credentials = credentials
  }

  func revoked(_ serials: [[UInt8]]) {
    revocations.replace(with: serials)
    guard !serials.isEmpty else { return }
    listener?.close { revocations.contains($0.peerSerial) }
    for link in links.values { link.closeIfRevoked(revocations) }
  }

  // MARK: NodeHost

  func send(_ frame: PeerFrame, to peer: NodeID) {
    links[peer]?.send(frame)
  }

  func flush() {
    for link in links.values { link.flush() }
  }

  /// Answers another node's request: along with all else that goes to it, where there is a connection of our own.
  func answer(_ response: WireResponse, of peer: NodeID, on connection: FramedConnection) {
    if let link = links[peer], link.isOpen { return link.send(.response(response)) }
    guard connection.isOpen else { return }
    connection.send(kind: FrameKind.response.rawValue, payload: response.encoded)
  }

  func run<Result: Sendable>(
    _ lane: Lane, _ job: @escaping @Sendable () -> Result, then: @escaping (Result) -> Void
  ) {
    workers.run(lane, job, then: then)
  }

  func randomBytes(_ count: Int) -> [UInt8] { SystemRandomNumberGenerator.bytes(count) }

  func fatal(_ reason: String) {
    logger.critical("the node stops: \(reason)")
    _exit(ServerError.fatalExitCode)
  }

  func log(_ level: Severity, _ message: String) {
    switch level {
    case .debug: logger.debug("\(message)")
    case .info: logger.info("\(message)")
    case .warning: logger.warning("\(message)")
    case .error: logger.error("\(message)")
    }
  }

  func membersChanged(_ members: [WireMember]) {
    for member in members where member.id != opened.identity.nodeID.rawValue {
      let peer = NodeID(rawValue: member.id)
      guard let address = HostPort(parsing: member.address) else {
        logger.warning("node \(peer) has the address '\(member.address)', which is none")
        continue
      }
      if let link = links[peer] {
        link.address = address
      } else {
        links[peer] = PeerLink(runner: self, peer: peer, address: address)
      }
    }
    updateClusterFile(members)
  }

  /// The cluster file of the first node names all members, so that clients find the cluster without that node.
  private func updateClusterFile(_ members: [WireMember]) {
    let path = clusterFilePath
    let addresses = members.map(\.address)
    run(.background) { () -> String? in
      let disk = PosixDisk()
      guard disk.exists(path) else { return nil }
      do {
        let file = try ClusterFile.load(path)
        guard file.addresses != addresses else { return nil }
        let updated = ClusterFile(
          cluster: file.cluster, addresses: addresses, authority: file.authority, certificate: file.certificate,
          privateKey: file.privateKey)
        try disk.replace(path, with: Array(updated.text.utf8))
        return nil
      } catch {
        return "\(error)"
      }
    } then: { [logger] failure in
      if let failure { logger.warning("\(path) can't be brought up to date: \(failure)") }
    }
  }

  // MARK: Stopping

  /// Hands leaderships over, lets the log finish, closes connections; then calls back.
  func stop(_ done: @escaping () -> Void) {
    guard !isStopping else { return }
    isStopping = true
    logger.info("stopping: handing leaderships over")
    node.drain { [self] in
      ticker?.cancel()
      listener?.stopAccepting()
      listener?.closeAll()
      for link in links.values { link.close() }
      done()
    }
  }

  /// Ends the worker threads; blocks until their jobs are done.
  func stopWorkers() { workers.stop() }
}
