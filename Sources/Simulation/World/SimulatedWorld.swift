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
  /// The clock that all nodes share.
  public let clock = SimulatedClock(now: Moment(rawValue: 1_000_000_000), wallMilliseconds: wallStart)
  /// The nodes that run.
  public private(set) var hosts: [NodeID: SimulatedHost] = [:]
  private var disks: [NodeID: SimulatedDisk] = [:]
  private var generator: SplitMix64
  private var queue = EventQueue()
  private var cuts: Set<[NodeID]> = []
  /// The cut links on which something was lost.
  private var torn: Set<[NodeID]> = []
  private var lastDelivery: [[NodeID]: UInt64] = [:]
  private var nextNode: UInt32 = 2

  /// A world with one node, the first of a new cluster.
  public init(seed: UInt64, partitions: Int = 4, reserveBytes: ByteCount = .bytes(0)) throws {
    self.reserveBytes = reserveBytes
    generator = SplitMix64(seed: seed)
    let disk = SimulatedDisk()
    let first = WireCatalogNode.with {
      $0.id = 1
      $0.address = "node1:1"
      $0.format = NodeDirectory.format
    }
    try NodeDirectory.createCluster(
      SimulatedWorld.directory, on: disk, cluster: "simulated", partitions: partitions, authority: [1], node: first,
      publicKey: [1], sealedAuthorityKey: [2], listen: "node1:1")
    disks[NodeID(rawValue: 1)] = disk
    try start(NodeID(rawValue: 1))
  }

  // MARK: Time

  /// The virtual time in nanoseconds.
  var time: UInt64 { clock.now.rawValue }

  func random(in range: ClosedRange<UInt64>) -> UInt64 { UInt64.random(in: range, using: &generator) }

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

  // MARK: Processes

  /// Starts a node on its disk.
  public func start(_ id: NodeID) throws(NodeError) {
    guard hosts[id] == nil, let disk = disks[id] else { return }
    hosts[id] = try SimulatedHost(world: self, id: id, disk: disk)
  }

  /// Ends a node at once; what it had not synced may be lost, torn or kept.
  public func kill(_ id: NodeID) {
    guard let host = hosts.removeValue(forKey: id) else { return }
    host.die()
    disks[id]?.crash(seed: random(in: 0...UInt64.max))
    for peer in hosts.keys.sorted() {
      at(time + random(in: 100_000...1_000_000)) { [weak self] in
        self?.hosts[peer]?.input { $0.disconnected(id) }
      }
    }
  }

  /// Stops a node's process in its tracks.
  public func freeze(_ id: NodeID) { hosts[id]?.isFrozen = true }

  /// Lets it go on.
  public func thaw(_ id: NodeID) { hosts[id]?.thaw() }

  /// Lets a new node join: invited and enrolled by the members, then started. Gives its number.
  public func join() throws -> NodeID {
    let id = NodeID(rawValue: nextNode)
    nextNode += 1
    let answer = ask(.with { $0.invite = WireInviteRequest() }, as: SimulatedWorld.admin)
    guard case .invite(let invitation)? = answer else {
      throw SimulationError.refused("invite: \(String(describing: answer))")
    }
    let request = WireRequest.with {
      $0.enrol = .with {
        $0.secret = .init(invitation.token.utf8)
        $0.signingRequest = .init([UInt8(id.rawValue)])
        $0.address = "node\(id):1"
        $0.format = NodeDirectory.format
      }
    }
    let enrolment = ask(request, as: .stranger)
    guard case .enrol(let answer)? = enrolment, answer.node == id.rawValue else {
      throw SimulationError.refused("enrol: \(String(describing: enrolment))")
    }
    let disk = SimulatedDisk()
    try NodeDirectory.createMember(
      SimulatedWorld.directory, on: disk, cluster: "simulated", node: id, address: "node\(id):1", listen: "node\(id):1",
      members: answer.members)
    disks[id] = disk
    try start(id)
    return id
  }

  // MARK: Network

  /// Cuts the link from one node to another, in that direction alone.
  public func cut(from sender: NodeID, to receiver: NodeID) { cuts.insert([sender, receiver]) }

  /// Mends all links. A connection on which something was lost can't go on where it stopped: both ends lose it.
  public func mend() {
    cuts.removeAll()
    for link in torn.sorted(by: { $0.lexicographicallyPrecedes($1) }) {
      hosts[link[0]]?.input { $0.disconnected(link[1]) }
      hosts[link[1]]?.input { $0.disconnected(link[0]) }
    }
    torn.removeAll()
  }

  func deliver(_ frame: PeerFrame, from sender: NodeID, to receiver: NodeID) {
    let link = [sender, receiver]
    let arrival = max(time + random(in: 30_000...600_000), lastDelivery[link] ?? 0)
    lastDelivery[link] = arrival
    guard hosts[receiver] != nil else {
      at(arrival) { [weak self] in self?.hosts[sender]?.input { $0.disconnected(receiver) } }
      return
    }
    guard !cuts.contains(link) else {
      torn.insert(link)
      return
    }
    at(arrival) { [weak self] in self?.hosts[receiver]?.input { $0.receive(frame, from: sender) } }
  }

  // MARK: Clients

  /// A client that may do everything.
  public static let admin = Caller.client(canWrite: true, canAdminister: true)

  /// Sends a request to a node and calls back with the answer, which may never come.
  public func send(
    _ request: WireRequest, to id: NodeID, as caller: Caller = admin,
    _ done: @escaping (WireResponse.OneOf_Body) -> Void
  ) {
    at(time + random(in: 30_000...300_000)) { [weak self] in
      self?.hosts[id]?.input { $0.handle(request, from: caller, reply: done) }
    }
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
