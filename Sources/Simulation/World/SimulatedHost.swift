import Bytes
public import Environment
public import Node
public import Wire

/// One process of a simulated world: a real `Node` over a simulated disk, clock and network.
public final class SimulatedHost: NodeHost {
  /// The node that runs.
  public private(set) var node: Node!
  /// Its number.
  public let id: NodeID
  /// Its disk, which outlives it.
  public let disk: SimulatedDisk
  /// Why the node stopped itself; nil while it runs or where it was killed.
  public private(set) var fatalReason: String?
  /// What it logged at level warning and above.
  public private(set) var complaints: [String] = []
  unowned let world: SimulatedWorld
  private(set) var isDead = false
  /// Whether the process is stopped (SIGSTOP): nothing happens on it until it is continued.
  var isFrozen = false
  private var frozenInputs: [(Node) -> Void] = []
  /// By how much longer the jobs of a lane take than they would, in nanoseconds.
  public var laneDelays: [Lane: UInt64] = [:]
  private var lanesFreeAt: [Lane: UInt64] = [:]

  init(world: SimulatedWorld, id: NodeID, disk: SimulatedDisk) throws(NodeError) {
    self.world = world
    self.id = id
    self.disk = disk
    let opened = try OpenedDirectory.open(
      SimulatedWorld.directory, on: disk, cacheBytes: 1 << 20, reserveBytes: world.reserveBytes)
    node = Node(host: self, opened: opened)
    try node.start(opened)
    scheduleTick()
  }

  private func scheduleTick() {
    world.after(milliseconds: Node.tickMilliseconds) { [weak self] in
      guard let self, !isDead else { return }
      if !isFrozen { input { $0.tick() } }
      scheduleTick()
    }
  }

  /// Lets the node take something in, and pumps it; later, if it is frozen.
  func input(_ body: @escaping (Node) -> Void) {
    guard !isDead else { return }
    guard !isFrozen else { return frozenInputs.append(body) }
    body(node)
    if !isDead { node.pump() }
  }

  /// Ends the process at once, as `kill -9` does.
  func die() {
    isDead = true
    frozenInputs.removeAll()
  }

  /// Lets a frozen process go on with what has arrived meanwhile.
  func thaw() {
    isFrozen = false
    let inputs = frozenInputs
    frozenInputs.removeAll()
    for body in inputs { input(body) }
  }

  // MARK: NodeHost

  public var clock: any Clock { world.clock }
  public let authority: any Authority = SimulatedAuthority()

  public func send(_ frame: PeerFrame, to peer: NodeID) {
    guard !isDead else { return }
    world.deliver(frame, from: id, to: peer)
  }

  public func flush() {}

  public func run<Result: Sendable>(
    _ lane: Lane, _ job: @escaping @Sendable () -> Result, then: @escaping (Result) -> Void
  ) {
    let start = max(world.time, lanesFreeAt[lane] ?? 0)
    let end = start + world.random(in: 80_000...400_000) + (laneDelays[lane] ?? 0)
    lanesFreeAt[lane] = end
    world.at(end) { [weak self] in
      guard let self, !isDead else { return }
      let result = job()
      input { _ in then(result) }
    }
  }

  public func randomBytes(_ count: Int) -> [UInt8] {
    (0..<count).map { _ in UInt8(ascii: "a") + UInt8(world.random(in: 0...25)) }
  }

  public func fatal(_ reason: String) {
    fatalReason = reason
    world.kill(id)
  }

  public func log(_ level: Severity, _ message: String) {
    if level == .warning || level == .error { complaints.append(message) }
  }

  public func membersChanged(_ members: [WireMember]) {}
}
