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
  private lazy var clusterFile = ClusterFileKeeper(runner: self, path: NodeDirectory.clusterFilePath(directory))
  private let workers: Workers
  private lazy var links = PeerLinks(runner: self)
  private var listener: Listener?
  private var ticker: RepeatedTask?
  private var isPumpScheduled = false
  private(set) var isStopping = false
  /// Why the node is a member no more; nil while it is one.
  private(set) var departure: WireDeparture?
  /// How long requests took.
  var requests = RequestMeter()
  private(set) lazy var node = Node(host: self, opened: opened)

  init(
    loop: any EventLoop, opened: OpenedDirectory, credentials: NodeCredentials, revocations: Revocations,
    logger: Logger, options: ServeOptions
  ) throws(ServerError) {
    directory = options.directory
    self.revocations = revocations
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
  var connectedPeers: Int { links.openCount }

  private func tick() {
    links.tick()
    renewal.tick()
    clusterFile.tick()
    for refused in revocations.takeTurnedAway() { node.hasRefused(NodeID(rawValue: refused)) }
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
    // A command that spoke with this node's own right has gone.
    guard peer != node.id else { return }
    node.disconnected(peer)
    schedulePump()
  }

  /// The connection for replicas' states to a node broke or could not be made.
  func lostStates(to peer: NodeID) {
    node.statesLost(to: peer)
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

  func trustChanged(_ wire: WireTrust) {
    let present = credentials.trust
    // The catalog's file, read at the start, may be older than the identity's.
    guard wire.generation > present.generation else { return }
    do {
      let trust = try NodeTrust(wire)
      run(.background) { [directory] () -> String? in
        do throws(DiskError) {
          try trust.save(to: directory, on: PosixDisk())
          return nil
        } catch {
          return "\(error)"
        }
      } then: { [self] failure in
        // Told again after a restart, and written then.
        if let failure { logger.error("whom to believe can't be written: \(failure)") }
        guard trust.generation > credentials.trust.generation else { return }
        believe(trust)
      }
    } catch {
      logger.error("the catalog names an authority that is none: \(error)")
    }
  }

  private func believe(_ trust: NodeTrust) {
    let isOver = trust.former == nil
    do {
      try use(credentials.believing(trust))
    } catch {
      return logger.error("the authority can't be used: \(error)")
    }
    clusterFile.lookSoon()
    guard isOver else { return logger.warning("another authority signs from now on; the former is believed as well") }
    logger.warning("the former authority is believed no more: all connections are made anew")
    listener?.close { _ in true }
    links.closeAll()
  }

  func revoked(_ serials: [[UInt8]]) {
    revocations.replace(with: serials)
    guard !serials.isEmpty else { return }
    listener?.close { revocations.contains($0.peerSerial) }
    links.closeRevoked(revocations)
  }

  // MARK: NodeHost

  func send(_ frame: PeerFrame, to peer: NodeID) {
    links.send(frame, to: peer)
  }

  func isBusy(_ peer: NodeID) -> Bool { links.areBusy(peer) }

  func flush() {
    links.flush()
  }

  /// Answers another node's request: along with all else that goes to it, where there is a connection of our own.
  func answer(_ response: WireResponse, of peer: NodeID, on connection: FramedConnection) {
    if links.answer(response, to: peer) { return }
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

  func membersChanged(_ members: [WireMember], refused: [NodeID]) {
    turnAway(refused)
    for member in members where member.id != opened.identity.nodeID.rawValue && !revocations.refuses(member.id) {
      let peer = NodeID(rawValue: member.id)
      guard let address = HostPort(parsing: member.address) else {
        logger.warning("node \(peer) has the address '\(member.address)', which is none")
        continue
      }
      links.found(peer, at: address)
    }
    clusterFile.name(members.map(\.address))
  }

  func memberMoved(_ member: NodeID, to address: String) {
    guard let address = HostPort(parsing: address), links.contains(member) else { return }
    links.found(member, at: address)
  }

  /// Refuses new connections of nodes at once, and closes theirs that are open once they can have heard why.
  private func turnAway(_ nodes: [NodeID]) {
    revocations.refuse(nodes.map(\.rawValue))
    let known = nodes.filter(links.contains)
    guard !known.isEmpty else { return }
    let bound = NIOLoopBound(self, eventLoop: loop)
    loop.scheduleTask(in: .milliseconds(NodeRunner.farewellMilliseconds)) {
      for node in known { bound.value.links.remove(node) }
      bound.value.listener?.close { connection in
        if case .node(_, let id)? = connection.peer { known.contains(id) } else { false }
      }
    }
  }

  private static let farewellMilliseconds: Int64 = 500

  /// A node turned this one away, for its certificate is refused.
  func wasTurnedAway(by peer: NodeID) {
    node.wasRefused(by: peer)
    schedulePump()
  }

  func departed(_ departure: WireDeparture) {
    self.departure = departure
    // As an operator would stop it: the thread that waits for that ends the node in good order.
    Glibc.kill(getpid(), SIGTERM)
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
      links.closeAll()
      done()
    }
  }

  /// Ends the worker threads; blocks until their jobs are done.
  func stopWorkers() { workers.stop() }
}
