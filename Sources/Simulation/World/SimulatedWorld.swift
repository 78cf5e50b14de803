public import Bytes
import Environment
public import Node
public import Wire

/// A cluster of real `Node`s in one thread: virtual time, and every delay and fault drawn from one seed, so that the
/// same seed gives the same history.
public final class SimulatedWorld {
  static let directory = "/node"
  /// What each node keeps aside for when its disk is full.
  let reserveBytes: ByteCount
  private static let wallStart: UInt64 = 1_700_000_000_000
  /// The right time, which no node sees but through its own clock.
  public let clock = SimulatedClock(now: Moment(rawValue: 1_000_000_000), wallMilliseconds: wallStart)
  /// The nodes that run.
  public private(set) var hosts: [NodeID: SimulatedHost] = [:]
  /// Why nodes stopped themselves, in order.
  public private(set) var stops: [(node: NodeID, reason: String)] = []
  /// What has happened so far.
  public var trace = Trace()
  /// How the nodes lay out what they keep; set before they start.
  public let nodeOptions: NodeOptions
  /// The newest cluster format that a node supports when it starts next, where that is not what `nodeOptions` say.
  package var formats: [NodeID: UInt32] = [:]
  /// Sees every entry that a node applies.
  var onApply: ((Node, GroupID, LogEntry) -> Void)? {
    didSet { for host in hosts.values { host.observe(onApply) } }
  }
  /// Sees what came of every check of a partition.
  var onCheck: ((WireCheckReport) -> Void)? {
    didSet { for host in hosts.values { host.node.onCheck = onCheck } }
  }
  /// Sees what is said of every replica that takes no part from then on.
  var onFence: ((String) -> Void)? {
    didSet { for host in hosts.values { host.node.onFence = onFence } }
  }
  var network = SimulatedNetwork()
  private(set) var disks: [NodeID: SimulatedDisk] = [:]
  /// The nodes that have asked to join so far.
  var joiners = 0
  private(set) var clocks: [NodeID: DriftingClock] = [:]
  private var generator: SplitMix64
  private var queue = EventQueue()

  /// A world with one node, the first of a new cluster.
  public init(
    seed: UInt64, partitions: Int = 4, reserveBytes: ByteCount = .bytes(0), options: NodeOptions = NodeOptions()
  ) throws {
    self.reserveBytes = reserveBytes
    generator = SplitMix64(seed: seed)
    nodeOptions = options
    let disk = SimulatedDisk()
    let first = WireCatalogNode.with {
      $0.id = 1
      $0.address = "node1:1"
      $0.format = options.format
    }
    try NodeDirectory.createCluster(
      SimulatedWorld.directory, on: disk, cluster: "simulated", partitions: partitions, authority: [1], node: first,
      publicKey: [1], sealedAuthorityKey: [2], listen: "node1:1", log: options.log)
    add(NodeID(rawValue: 1), disk)
    try start(NodeID(rawValue: 1))
  }

  func add(_ id: NodeID, _ disk: SimulatedDisk) {
    disks[id] = disk
    clocks[id] = DriftingClock(world: clock, start: random(in: 1_000_000_000...900_000_000_000))
  }

  /// Gives a node that doesn't run another disk.
  package func replaceDisk(of id: NodeID, with disk: SimulatedDisk) {
    precondition(hosts[id] == nil, "the node runs")
    disks[id] = disk
  }

  // MARK: Time

  /// The right wall time at the world's start.
  var startMilliseconds: UInt64 { SimulatedWorld.wallStart }
  /// The virtual time in nanoseconds.
  public var time: UInt64 { clock.now.rawValue }

  func random(in range: ClosedRange<UInt64>) -> UInt64 { UInt64.random(in: range, using: &generator) }

  private func chance(_ permille: Int) -> Bool { permille > 0 && random(in: 0...999) < UInt64(permille) }

  /// What is to happen refers to the world without owning it: only the world itself makes it happen. Nor weakly, which
  /// would slow down every use of it and of its hosts.
  func at(_ moment: UInt64, _ action: @escaping () -> Void) {
    queue.schedule(at: max(moment, time), action)
  }

  /// Lets something happen after a time.
  public func after(milliseconds: UInt64, _ action: @escaping () -> Void) {
    at(time + milliseconds * 1_000_000, action)
  }

  /// Lets the world run for a time, or until a condition holds; says whether it does.
  @discardableResult
  public func run(milliseconds: UInt64, until isDone: () -> Bool = { false }) -> Bool {
    let end = time + milliseconds * 1_000_000
    while !isDone() {
      guard let next = queue.nextTime, next <= end else {
        advance(to: end)
        return isDone()
      }
      advance(to: next)
      queue.next()?()
    }
    return true
  }

  private func advance(to moment: UInt64) {
    guard moment > time else { return }
    clock.now = Moment(rawValue: moment)
    clock.wallMilliseconds = SimulatedWorld.wallStart + moment / 1_000_000
  }

  /// Adds to the trace's words.
  func say(_ words: @autoclosure () -> String) { trace.say(at: time, words()) }

  // MARK: Processes

  /// All nodes, whether they run or not, ascending.
  public var nodes: [NodeID] { disks.keys.sorted() }

  /// Starts a node on its disk.
  public func start(_ id: NodeID) throws(NodeError) {
    guard hosts[id] == nil, let disk = disks[id], let clock = clocks[id] else { return }
    trace.note(1, UInt64(id.rawValue), time)
    say("node \(id) starts")
    let host = try SimulatedHost(world: self, id: id, disk: disk, clock: clock)
    if !host.isDead { hosts[id] = host }
  }

  /// Ends a node at once, as a loss of power does: what it had not synced may be lost, torn or kept.
  public func kill(_ id: NodeID) {
    guard end(id) else { return }
    say("node \(id) loses power")
    disks[id]?.crash(seed: random(in: 0...UInt64.max))
  }

  /// Ends a node's process at once, as `kill -9` does: what it wrote stays readable, and unsynced.
  public func exit(_ id: NodeID) {
    guard end(id) else { return }
    say("node \(id) is killed")
    disks[id]?.closeFiles()
  }

  private func end(_ id: NodeID) -> Bool {
    guard let host = hosts.removeValue(forKey: id) else { return false }
    trace.note(2, UInt64(id.rawValue), time)
    host.die()
    for peer in hosts.keys.sorted() {
      network.reset(.init(sender: id, receiver: peer))
      loseTouch(peer, with: id)
    }
    return true
  }

  /// A node stopped itself.
  func stopped(_ id: NodeID, because reason: String) {
    stops.append((id, reason))
    say("node \(id) stops itself: \(reason)")
    exit(id)
  }

  /// Takes a node and its disk out of the world for ever.
  func lose(_ id: NodeID) {
    kill(id)
    disks[id] = nil
  }

  /// A node is a member no more: its process ends, and its disk is of no use to anybody.
  func departed(_ id: NodeID) {
    guard end(id) else { return }
    say("node \(id) is a member no more")
    disks[id] = nil
  }

  private func loseTouch(_ id: NodeID, with peer: NodeID) {
    at(time + random(in: 100_000...1_000_000)) { [unowned self] in
      hosts[id]?.input { $0.disconnected(peer) }
    }
  }

  /// Stops a node's process in its tracks.
  public func freeze(_ id: NodeID) { hosts[id]?.isFrozen = true }

  /// Lets it go on.
  public func thaw(_ id: NodeID) { hosts[id]?.thaw() }

  // MARK: Network

  /// Cuts the link from one node to another, in that direction alone.
  public func cut(from sender: NodeID, to receiver: NodeID) { network.cut(.init(sender: sender, receiver: receiver)) }

  /// Mends all links. A connection on which something was lost can't go on where it stopped: both ends lose it.
  public func mend() {
    for link in network.cuts.sorted() { mend(from: link.sender, to: link.receiver) }
  }

  /// Mends one link.
  func mend(from sender: NodeID, to receiver: NodeID) {
    if network.mend(.init(sender: sender, receiver: receiver)) { reset(sender, receiver) }
  }

  /// Breaks the connections between two nodes: what is on its way is lost, and both hear of it.
  func reset(_ one: NodeID, _ other: NodeID) {
    network.reset(.init(sender: one, receiver: other))
    loseTouch(one, with: other)
    loseTouch(other, with: one)
  }

  func deliver(_ frame: PeerFrame, from sender: NodeID, to receiver: NodeID) {
    let link = SimulatedNetwork.Link(sender: sender, receiver: receiver)
    guard hosts[receiver] != nil else { return loseTouch(sender, with: receiver) }
    guard !network.isCut(link) else { return network.lost(on: link) }
    guard hosts[receiver]?.refused.contains(sender) == false else { return }
    let weather = network.weather
    let delay = random(in: weather.delay) * 1000
    guard frame.mayBeLost else {
      return carry(frame, link, at: network.arrival(of: frame, link, now: time, delay: delay))
    }
    if chance(weather.drop) { return }
    if chance(weather.double) { carry(frame, link, at: time + random(in: weather.delay) * 1000) }
    if chance(weather.stray) { return carry(frame, link, at: time + random(in: 10_000_000...3_000_000_000)) }
    carry(frame, link, at: network.arrival(of: frame, link, now: time, delay: delay))
  }

  /// A node seeks its peers again and again, whether it has anything to say or not: one that turns it away tells it so.
  func knock(_ id: NodeID) {
    for peer in hosts.keys.sorted() where hosts[peer]?.refused.contains(id) == true {
      let (way, back) = (
        SimulatedNetwork.Link(sender: id, receiver: peer), SimulatedNetwork.Link(sender: peer, receiver: id)
      )
      guard !network.isCut(way), !network.isCut(back), hosts[peer]?.isFrozen == false else { continue }
      hosts[id]?.input { $0.wasRefused(by: peer) }
      return
    }
  }

  private func carry(_ frame: PeerFrame, _ link: SimulatedNetwork.Link, at arrival: UInt64) {
    let epoch = network.epoch(link)
    network.left(frame, on: link)
    at(arrival) { [unowned self] in
      if network.ended(frame, on: link) { hosts[link.sender]?.input { _ in } }
      guard network.epoch(link) == epoch, let host = hosts[link.receiver] else { return }
      trace.note(frame.mark, UInt64(link.sender.rawValue) << 32 | UInt64(link.receiver.rawValue), time)
      say("node \(link.sender) to node \(link.receiver): \(frame.words)")
      host.input { $0.receive(frame, from: link.sender) }
    }
  }

  // MARK: Clients

  /// A client that may do everything.
  public static let admin = Caller.client(canWrite: true, canAdminister: true)

  /// Sends a request to a node and calls back with the answer, which may never come.
  public func send(
    _ request: WireRequest, to id: NodeID, as caller: Caller = admin,
    _ done: @escaping (WireResponse.OneOf_Body) -> Void
  ) {
    at(time + random(in: 30_000...300_000)) { [unowned self] in
      hosts[id]?.input { [unowned self] node in
        node.handle(request, from: caller) { [unowned self] body in answer(body, done) }
      }
    }
  }

  private func answer(_ body: WireResponse.OneOf_Body, _ done: @escaping (WireResponse.OneOf_Body) -> Void) {
    at(time + random(in: 30_000...300_000)) { done(body) }
  }

  /// Asks a node, the first one unless said otherwise, and runs the world until the answer is there.
  public func ask(_ request: WireRequest, of id: NodeID? = nil, as caller: Caller = admin) -> WireResponse.OneOf_Body? {
    guard let id = id ?? hosts.keys.min() else { return nil }
    var answer: WireResponse.OneOf_Body?
    send(request, to: id, as: caller) { answer = $0 }
    run(milliseconds: 10_000) { answer != nil }
    return answer
  }
}

/// Why the world could not be set up as asked.
public enum SimulationError: Error {
  case refused(String)
}
