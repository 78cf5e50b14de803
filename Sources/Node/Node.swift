public import Bytes
import Environment
import HashRing
import Log
import Raft
import Wire

/// One node: the replicas that live on it, and everything between their consensus and the host's sockets and disks.
///
/// All of it runs on one thread, the node's; nothing here blocks, reads a clock of its own or waits. The host calls
/// the inputs (`tick`, `receive`, `handle`, `disconnected`) and, after each burst of them, `pump`.
public final class Node {
  /// The node's number.
  public let id: NodeID
  /// The cluster's name.
  public let cluster: String
  unowned let host: any NodeHost
  let storage: NodeStorage
  private(set) var replicas: [GroupID: GroupReplica] = [:]
  /// The groups whose replica here has ended, and whose files go as soon as the log says so durably.
  var ending: Set<GroupID> = []
  /// The groups in ascending order: the order in which they are served.
  private(set) var order: [GroupID] = []
  private(set) lazy var catalog = CatalogMachine(node: self)
  private var scheduled: [GroupReplica] = []
  private(set) var outbox = PeerOutbox()
  var calls: PeerCalls
  private var isPumping = false
  private var ticks = 0

  private(set) lazy var pipeline = LogPipeline(node: self, log: storage.log)
  private(set) lazy var router = Router(node: self)
  private(set) lazy var versions = VersionRequests(node: self)
  private(set) lazy var pulses = Pulses(node: self)
  private(set) lazy var transfers = Transfers(node: self)
  private(set) lazy var space = DiskSpace(node: self)
  private(set) lazy var fences = Fences(node: self)
  /// Set until the other members have said what this node's replicas promised them: none of them is here before.
  var recollection: Recollection?
  /// What could not be read.
  var damage = Damage()
  private(set) lazy var compactions = Compactions(node: self)
  private(set) lazy var floorKeeper = FloorKeeper(node: self)
  var heldReads = HeldReads()
  /// Where others reach the node, as its directory says.
  let address: String
  var isTellingAddress = false
  /// When members are told next where this node is, and who was heard from since they were told last.
  var nextMoved = Moment(rawValue: 0)
  var heardFrom: Set<NodeID> = []
  private(set) var silence = Silence()
  var supplanting = Supplanting()
  /// For how many ticks it has not heard the catalog's leader; `max` before it ever has. Not by the clock, which goes on
  /// where the process doesn't.
  var ticksWithoutLeader = Int.max
  /// Members that were made clusters of their own, and refuse this node.
  var estranged: Set<NodeID>
  /// What such a one has said, and what it wanted here.
  var (refusals, strays) = (Refusals(), Refusals())
  private(set) lazy var foreignLeaders = ForeignLeaders(node: self)
  private(set) lazy var closedVersions = ClosedVersions(node: self)
  private(set) lazy var changeWaits = ChangeWaits(node: self)
  /// The number of partitions whose tables are being looked through for changes.
  var changeScans = 0
  /// The retention that the cluster shall have, until the catalog has it.
  var wantedRetention: UInt64?
  private(set) lazy var checks = Checks(node: self)
  private(set) lazy var verifier = Verifier(node: self)
  private(set) lazy var backgroundChecks = BackgroundChecks(node: self)
  private(set) lazy var logScrubs = LogScrubs(node: self)
  private(set) lazy var logMending = LogMending(node: self)
  private(set) lazy var pairedFileCheck = PairedFileCheck(node: self)
  private(set) lazy var admissions = Admissions(node: self)
  private(set) lazy var damageReports = DamageReports(node: self)
  private(set) lazy var repairFences = RepairFences(node: self)
  private(set) lazy var clocks = ClockWatch(node: self)
  private(set) lazy var formatRise = FormatRise(node: self)
  private(set) lazy var planner = PlacementDriver(node: self)
  /// How large the log may grow before groups that write little are flushed for its sake.
  var logBudget: ByteCount
  /// Sees every entry just before it is applied here: how the simulator checks that replicas agree.
  package var onApply: ((GroupID, LogEntry) -> Void)?
  /// Sees what came of every check of a partition that this node led, for a simulator.
  package var onCheck: ((WireCheckReport) -> Void)?
  /// Sees what is said of every replica that takes no part from then on.
  package var onFence: ((String) -> Void)?
  /// Set once the node gives its leaderships away in order to stop.
  var isDraining = false
  /// Whether it was taken out of the members.
  var hasDeparted = false
  /// The zone and weight that the node shall have, until the catalog has them.
  var wantedPlace: (zone: String?, weight: UInt32?)?
  /// How fast moving replicas shall arrive, until the catalog has it.
  var wantedMoveRate: UInt64?
  /// What the node has done.
  public internal(set) var counters = NodeCounters()
  /// Until when the node drains, and whom it then calls.
  var drainEnd: (deadline: Moment, done: () -> Void)?

  /// The interval at which the host must call `tick`.
  public static let tickMilliseconds: UInt64 = 50
  /// What looks at every partition, though there is rarely anything to do, is done at every so many ticks.
  private static let ticksBetweenRounds = 10

  /// A node over what was opened from its directory. `start` sets it going.
  public init(host: any NodeHost, opened: OpenedDirectory) {
    self.host = host
    id = opened.identity.nodeID
    cluster = opened.identity.cluster
    address = opened.identity.stored.address
    storage = opened.storage
    estranged = Set(opened.identity.stored.estranged.map { NodeID(rawValue: $0) })
    calls = PeerCalls(seed: host.randomBytes(8).reduce(0) { $0 << 8 | UInt64($1) })
    logBudget = opened.storage.options.logBudget
  }

  /// What waits in a partition holds it: with the node, nobody is left who could let go of either.
  deinit {
    for partition in partitions { partition.barriers = [] }
  }

  var now: Moment { host.clock.now }

  // MARK: Replicas

  /// Adds a replica that was opened or made.
  func add(_ replica: GroupReplica) {
    replicas[replica.group] = replica
    order = replicas.keys.sorted()
    schedule(replica)
  }

  /// Takes a replica out.
  func remove(_ group: GroupID) {
    replicas.removeValue(forKey: group)?.end()
    order = replicas.keys.sorted()
  }

  /// The partitions here, by group.
  var partitions: [Partition] { order.compactMap { replicas[$0]?.machine as? Partition } }

  /// Sees to it that a replica is drained before the node waits again.
  func schedule(_ replica: GroupReplica) {
    guard !replica.isScheduled else { return }
    replica.isScheduled = true
    scheduled.append(replica)
  }

  // MARK: Inputs

  /// Moves the node's time on.
  public func tick() {
    let now = now
    guard recollection == nil else {
      for done in calls.end(dueBy: now) { done(.lost) }
      return pump()
    }
    ticks += 1
    let isRound = ticks.isMultiple(of: Node.ticksBetweenRounds)
    for group in order { replicas[group]?.tick(now: now, isRound: isRound) }
    noteLeader()
    for done in calls.end(dueBy: now) { done(.lost) }
    pulses.tick()
    versions.tick()
    router.tick()
    transfers.tick()
    planner.tick()
    clocks.tick()
    floorKeeper.tick()
    closedVersions.tick(isRound: isRound)
    foreignLeaders.tick()
    changeWaits.tick()
    compactions.tick(isRound: isRound)
    fences.tick()
    repairFences.tick()
    checks.tick()
    verifier.tick()
    if isRound { backgroundChecks.tick() }
    if isRound { pairedFileCheck.tick() }
    if isRound { logMending.tick() }
    space.tick()
    proposeRetentionIfDue()
    proposePlaceIfDue()
    if isRound { formatRise.tick() }
    tellAddressIfDue()
    pump()
    pipeline.settle()
    if isDraining { finishDrainIfDue() }
  }

  /// Takes a frame from another node in.
  public func receive(_ frame: PeerFrame, from sender: NodeID) {
    // Whoever was struck out may come back with an old directory, and believe in its old groups.
    guard catalog.catalog?.isStruckOut(sender) != true else { return }
    heardFrom.insert(sender)
    silence.end(sender)
    switch frame {
    case .batch(let batch):
      for i in batch.indices { receive(batch[i], from: sender) }
    case .request(let request):
      let id = request.id
      // Not weak: a weak reference to the node would make every use of it slower, from then on.
      handle(request, from: .node(sender)) { [unowned self] body in
        host.send(
          .response(
            .with {
              $0.id = id
              $0.body = body
            }), to: sender)
      }
    case .response(let response):
      guard let body = response.body else { return }
      calls.end(response.id, from: sender)?(.answered(body))
    case .snapshotChunk(let chunk):
      transfers.receive(chunk, from: sender)
    case .snapshotCredit(let credit):
      transfers.receive(credit, from: sender)
    }
  }

  private func receive(_ incoming: GroupMessage, from sender: NodeID) {
    // Messages for a replica that is not here, or not the one meant, are dropped: ids are never reused.
    guard incoming.message.from.node == sender else { return }
    guard let replica = replicas[incoming.group], replica.id == incoming.message.to else { return noteStray(incoming) }
    if incoming.group == .catalog { supplanting.end() }
    replica.step(incoming.message)
  }

  /// The connection to a node ended: what was asked of it may or may not have been done.
  public func disconnected(_ peer: NodeID) {
    silence.begin(peer, at: now)
    for done in calls.end(allTo: peer) { done(.lost) }
    transfers.disconnected(peer)
    pulses.disconnected(peer)
    for group in order {
      guard let replica = replicas[group] else { continue }
      for progress in replica.core.status.peers where progress.id.node == peer {
        replica.core.reportUnreachable(progress.id)
      }
    }
  }

  /// What was on its way of replicas' states to a node may be lost, and nothing else.
  public func statesLost(to peer: NodeID) { transfers.disconnected(peer) }

  /// Drains every replica that has something to do, hands the log its batch and the network its frames.
  public func pump() {
    guard !isPumping else { return }
    isPumping = true
    repeat {
      drainScheduled()
      outbox.empty(isBusy: host.isBusy) { peer, messages in host.send(.batch(messages), to: peer) }
      pipeline.start()
      versions.pump()
    } while !scheduled.isEmpty
    host.flush()
    isPumping = false
  }

  private func drainScheduled() {
    while !scheduled.isEmpty {
      let batch = scheduled
      scheduled.removeAll(keepingCapacity: true)
      for replica in batch {
        replica.isScheduled = false
        replica.drain()
      }
    }
  }

  // MARK: Outputs

  /// Gathers consensus messages; they leave at the end of the pump, one frame for each node.
  func send(_ messages: [Message], group: GroupID) {
    // By index, here and where messages are encoded and received: a loop over the messages copies each once more.
    for i in messages.indices {
      let node = messages[i].to.node
      guard messages[i].kind != .snapshot else {
        transfers.begin(messages[i], group: group)
        continue
      }
      counters.consensusMessages += 1
      if messages[i].quiescent, !pulses.areKnown(to: node) {
        var heartbeat = messages[i]
        heartbeat.quiescent = false
        outbox.add(GroupMessage(group: group, message: heartbeat), to: node)
      } else {
        outbox.add(GroupMessage(group: group, message: messages[i]), to: node)
      }
    }
  }

  /// Asks another node for something.
  func call(
    _ peer: NodeID, _ request: WireRequest, deadline: Moment, _ done: @escaping (PeerCalls.Result) -> Void
  ) {
    var request = request
    request.id = calls.begin(peer, deadline: deadline, done)
    host.send(.request(request), to: peer)
  }
}
