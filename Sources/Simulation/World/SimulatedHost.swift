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
  /// Its clocks, which outlive it too.
  public let ownClock: DriftingClock
  /// Why the node stopped itself the last time; nil if it never did.
  public var fatalReason: String? { world.stops.last { $0.node == id }?.reason }
  /// What it logged at level warning and above.
  public private(set) var complaints: [String] = []
  unowned let world: SimulatedWorld
  /// What the process was started with, which a real one keeps as well.
  private let opened: OpenedDirectory
  private(set) var isDead = false
  /// Whether the process is stopped (SIGSTOP): nothing happens on it until it is continued.
  var isFrozen = false
  /// Jobs on its disk take so many times as long.
  var diskSlowness: UInt64 = 1
  /// No job ends before this time: its disk has stalled.
  var diskStallsUntil: UInt64 = 0
  /// The next job loses power in its midst, after so many of its changes.
  var powerOffInNextJob: Int?
  /// The nodes that are turned away.
  private(set) var refused: Set<NodeID> = []
  /// Whom the node was last told to believe.
  public private(set) var trust = WireTrust()
  private var frozenInputs: [(Node) -> Void] = []
  /// By how much longer the jobs of a lane take than they would, in nanoseconds.
  public var laneDelays: [Lane: UInt64] = [:]
  private var lanesFreeAt: [Lane: UInt64] = [:]
  /// The most that ever waited in each queue.
  private(set) var longestQueues: [String: Int] = [:]

  init(world: SimulatedWorld, id: NodeID, disk: SimulatedDisk, clock: DriftingClock) throws(NodeError) {
    self.world = world
    self.id = id
    self.disk = disk
    ownClock = clock
    var options = world.nodeOptions
    options.format = world.formats[id] ?? options.format
    opened = try OpenedDirectory.open(
      SimulatedWorld.directory, on: disk, cacheBytes: 1 << 20, reserveBytes: world.reserveBytes, options: options)
    node = Node(host: self, opened: opened)
    observe(world.onApply)
    node.onCheck = world.onCheck
    node.onFence = world.onFence
    try node.start(opened)
    scheduleTick()
  }

  /// Has an observer see every entry that the node applies.
  func observe(_ observer: ((Node, GroupID, LogEntry) -> Void)?) {
    node.onApply = observer.map { observer in
      { [unowned self] group, entry in observer(node, group, entry) }
    }
  }

  private func scheduleTick() {
    world.at(world.time + ownClock.worldNanoseconds(forMilliseconds: Node.tickMilliseconds)) { [self] in
      guard !isDead else { return }
      if !isFrozen {
        input { $0.tick() }
        if !isDead {
          noteQueues()
          world.knock(id)
        }
      }
      scheduleTick()
    }
  }

  private func noteQueues() {
    for (name, count) in node.queueLengths where count > longestQueues[name] ?? 0 { longestQueues[name] = count }
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

  public var clock: any Clock { ownClock }
  public let authority: any Authority = SimulatedAuthority()

  public func send(_ frame: PeerFrame, to peer: NodeID) {
    guard !isDead else { return }
    world.deliver(frame, from: id, to: peer)
  }

  public func isBusy(_ peer: NodeID) -> Bool { world.network.isBusy(.init(sender: id, receiver: peer)) }

  public func flush() {}

  public func run<Result: Sendable>(
    _ lane: Lane, _ job: @escaping @Sendable () -> Result, then: @escaping (Result) -> Void
  ) {
    let start = max(world.time, lanesFreeAt[lane] ?? 0)
    let duration = world.random(in: 80_000...400_000) * diskSlowness + (laneDelays[lane] ?? 0)
    // Behind what the stall already holds up.
    let end = max(start, diskStallsUntil) + duration
    lanesFreeAt[lane] = end
    finish(at: end, job, then: then)
  }

  private func finish<Result: Sendable>(
    at end: UInt64, _ job: @escaping @Sendable () -> Result, then: @escaping (Result) -> Void
  ) {
    world.at(end) { [self] in
      guard !isDead else { return }
      // A stall that began meanwhile holds up what was under way.
      guard diskStallsUntil <= world.time else { return finish(at: diskStallsUntil, job, then: then) }
      if let steps = powerOffInNextJob {
        disk.powerOff(afterSteps: steps)
        _ = job()
        return world.kill(id)
      }
      let result = job()
      input { _ in then(result) }
    }
  }

  public func randomBytes(_ count: Int) -> [UInt8] {
    (0..<count).map { _ in UInt8(ascii: "a") + UInt8(world.random(in: 0...25)) }
  }

  public func fatal(_ reason: String) {
    guard !isDead else { return }
    isDead = true
    world.stopped(id, because: reason)
  }

  public func log(_ level: Severity, _ message: String) {
    if level == .warning || level == .error { complaints.append(message) }
    world.say("node \(id) logs: \(message)")
  }

  public func membersChanged(_ members: [WireMember], refused: [NodeID]) { self.refused = Set(refused) }

  public func memberMoved(_ member: NodeID, to address: String) {}

  public func departed(_ departure: WireDeparture) {
    isDead = true
    world.departed(id)
  }
  public func revoked(_ serials: [[UInt8]]) {}
  public func trustChanged(_ trust: WireTrust) { self.trust = trust }
}
