import Bytes

@testable import Raft

/// Replicas in memory, the network between them, and time. Everything follows from the seed.
final class TestCluster {
  /// What the network and the disks do to a run.
  struct Faults {
    var dropPermille = 0
    var duplicatePermille = 0
    /// The delay of a message in milliseconds; different delays reorder.
    var delay: ClosedRange<UInt64> = 0...0
    /// How often, in thousandths, a message is late by seconds.
    var strayPermille = 0
  }

  private struct Envelope {
    let message: Message
    let at: UInt64
    var snapshot: TestSnapshot?
  }

  var now: UInt64 = 0
  var options: RaftOptions
  var random: SplitMix64
  var faults = Faults()
  /// Messages that never arrive.
  var isCut: (Message) -> Bool = { _ in false }
  private(set) var nodes: [TestNode] = []
  private var wire: [Envelope] = []
  var history: History
  private(set) var delivered: [Message] = []
  var recordsMessages = false
  var pulses = TestPulses()
  /// The commit index that was the highest when a read was asked for.
  private var readFloors: [UInt64: LogIndex] = [:]
  private var lastContext: UInt64 = 0

  /// Where the log of a new group begins: later replicas must get a snapshot, for the first membership is no entry.
  static let base = (index: index(1), term: term(1))

  init(voters: [UInt32], learners: [UInt32] = [], options: RaftOptions = RaftOptions(), seed: UInt64 = 1) {
    self.options = options
    random = SplitMix64(seed: seed)
    history = History(first: TestCluster.base.index.next)
    let membership = Membership(voters: voters.map(replica), learners: learners.map(replica))
    for number in voters + learners {
      let node = TestNode(id: replica(number), options: options)
      node.disk.base = TestCluster.base
      node.disk.machine = TestSnapshot(
        index: TestCluster.base.index, term: TestCluster.base.term, digest: 0, membership: membership)
      add(node)
    }
  }

  /// Adds a replica that has nothing yet.
  func addEmpty(_ number: UInt32) { add(TestNode(id: replica(number), options: options)) }

  private func add(_ node: TestNode) {
    nodes.append(node)
    nodes.sort { $0.id < $1.id }
    node.start(seed: random.next(), now: now)
    checkPromises(of: node)
    take(node)
  }

  /// Whoever starts again knows all that others remember of it.
  private func checkPromises(of node: TestNode) {
    guard let core = node.core else { return }
    for promise in nodes.compactMap({ $0.core?.promise(of: node.id) })
    where promise.term > core.term || promise.index > core.lastIndex {
      history.fault("\(node.id) stands at term \(core.term), entry \(core.lastIndex), and has promised \(promise)")
    }
  }

  func node(_ id: ReplicaID) -> TestNode {
    guard let node = nodes.first(where: { $0.id == id }) else { preconditionFailure("no replica \(id)") }
    return node
  }

  func node(_ number: UInt32) -> TestNode { node(replica(number)) }

  // MARK: Calls of a core

  /// Calls a core, then does what it wants done.
  @discardableResult
  func with<T>(_ node: TestNode, _ call: (inout RaftCore, UInt64) throws -> T) rethrows -> T? {
    guard var core = node.core else { return nil }
    node.core = nil
    defer {
      node.core = core
      history.observe(core)
      take(node)
    }
    return try call(&core, node.clock(now))
  }

  /// Takes out all that is ready.
  private func take(_ node: TestNode) {
    while let core = node.core, core.hasReady {
      guard let ready = node.core?.ready(), let core = node.core else { return }
      history.wrote(ready.entries, core)
      for message in ready.immediate { send(message, from: node) }
      if ready.hardState != nil || !ready.entries.isEmpty || !ready.afterPersist.isEmpty {
        node.writes.append(
          TestDisk.Write(
            ticket: ready.ticket, hardState: ready.hardState, entries: ready.entries, messages: ready.afterPersist))
      }
      if let header = ready.snapshot {
        let snapshot = node.arrived[header.index] ?? TestSnapshot()
        node.writes.append(TestDisk.Write(ticket: ready.ticket, install: snapshot))
      }
      node.applyQueue += ready.committed
      for read in ready.readStates {
        if let floor = readFloors[read.context], read.index < floor {
          history.fault("stale read at \(node.id): \(read.index), but \(floor) was committed before")
        }
        node.reads.append(read)
        history.readsAnswered += 1
      }
      node.rejectedReads += ready.rejectedReads
    }
    if node.syncsByItself { sync(node) }
    if node.appliesByItself { apply(node) }
  }

  /// Makes the oldest writes durable.
  func sync(_ node: TestNode, _ count: Int = .max) {
    var left = count
    while left > 0, !node.writes.isEmpty {
      let write = node.writes.removeFirst()
      node.disk.perform(write)
      left -= 1
      for message in write.messages { send(message, from: node) }
      if let snapshot = write.install {
        node.machine = snapshot
        history.applied(snapshot, by: node.id)
        history.installs += 1
        with(node) { core, clock in core.installed(snapshot: snapshot.header, now: clock) }
      } else {
        with(node) { core, clock in core.persisted(ticket: write.ticket, now: clock) }
      }
    }
  }

  /// Applies the next entries handed out.
  func apply(_ node: TestNode, _ count: Int = .max) {
    var left = count
    while left > 0, !node.applyQueue.isEmpty {
      let entry = node.applyQueue.removeFirst()
      left -= 1
      node.machine.apply(entry)
      history.applied(node.machine, by: node.id)
      with(node) { core, clock in
        if entry.kind == .membership, let change = try? MembershipChange(payload: entry.payload) {
          history.changes += 1
          node.machine.membership = core.apply(membership: change, at: entry.index, now: clock)
        }
        core.applied(to: entry.index)
      }
    }
  }

  // MARK: The network

  private func send(_ message: Message, from node: TestNode) {
    if recordsMessages { delivered.append(message) }
    var envelope = Envelope(message: message, at: now + delay())
    if message.kind == .snapshot {
      // What is streamed is the state now, which may be newer than what the core asked for.
      envelope.snapshot = node.machine
    }
    if message.kind == .vote, message.forced { history.transfers += 1 }
    let lost = isCut(message) || chance(faults.dropPermille)
    if lost {
      if message.kind == .snapshot { report(message, succeeded: false) }
      return
    }
    wire.append(envelope)
    if message.kind != .snapshot, chance(faults.duplicatePermille) {
      wire.append(Envelope(message: message, at: now + delay()))
    }
  }

  func delay() -> UInt64 {
    if chance(faults.strayPermille) { return UInt64.random(in: 500...4000, using: &random) * millisecond }
    return faults.delay.upperBound == 0 ? 0 : UInt64.random(in: faults.delay, using: &random) * millisecond
  }

  private func report(_ message: Message, succeeded: Bool) {
    guard let sender = nodes.first(where: { $0.id == message.from }) else { return }
    with(sender) { core, clock in core.reportSnapshot(to: message.to, succeeded: succeeded, now: clock) }
  }

  func chance(_ permille: Int) -> Bool {
    permille > 0 && Int.random(in: 0..<1000, using: &random) < permille
  }

  private func isReachable(_ node: TestNode) -> Bool { node.core != nil && node.frozenUntil <= now }

  /// Delivers what is due, in the order of arrival.
  private func deliver() -> Bool {
    guard let next = wire.indices.filter({ wire[$0].at <= now }).min(by: { wire[$0].at < wire[$1].at }) else {
      return false
    }
    var envelope = wire.remove(at: next)
    guard let node = nodes.first(where: { $0.id == envelope.message.to }), node.core != nil,
      !isCut(envelope.message)
    else {
      if envelope.message.kind == .snapshot { report(envelope.message, succeeded: false) }
      return true
    }
    if !isReachable(node) {
      envelope = Envelope(message: envelope.message, at: node.frozenUntil, snapshot: envelope.snapshot)
      wire.append(envelope)
      return true
    }
    var message = envelope.message
    if let snapshot = envelope.snapshot {
      node.arrived[snapshot.index] = snapshot
      message.snapshot = snapshot.header
    }
    with(node) { core, clock in core.step(message, now: clock) }
    if envelope.snapshot != nil { report(message, succeeded: true) }
    return true
  }

  // MARK: Time

  /// Delivers until nothing is due.
  func settle() {
    while deliver() {}
    deliverPulses()
  }

  /// Lets time pass in small steps, all clocks ticking.
  func run(milliseconds: UInt64, step: UInt64 = 10) {
    var left = milliseconds
    while left > 0 {
      let length = min(step, left)
      now += length * millisecond
      left -= length
      for node in nodes where isReachable(node) { with(node) { core, clock in core.tick(now: clock) } }
      sendPulses()
      settle()
    }
  }

  /// Runs until a condition holds; false if it does not within a time.
  func run(within milliseconds: UInt64 = 10_000, until condition: (TestCluster) -> Bool) -> Bool {
    var left = milliseconds
    while !condition(self) {
      guard left >= 10 else { return false }
      run(milliseconds: 10)
      left -= 10
    }
    return true
  }

  // MARK: What tests ask and do

  var leaders: [TestNode] { nodes.filter { $0.core?.isLeader == true } }
  /// The leader of the highest term.
  var leader: TestNode? { leaders.max { ($0.core?.term ?? .zero) < ($1.core?.term ?? .zero) } }

  /// Makes a replica the leader from the start and lets its first entry be applied everywhere.
  func elect(_ number: UInt32) -> TestNode {
    let node = node(number)
    with(node) { core, clock in core.campaign(now: clock) }
    settle()
    run(milliseconds: 100)
    return node
  }

  @discardableResult
  func propose(_ node: TestNode, _ payload: [UInt8]) throws -> LogIndex? {
    try with(node) { core, clock in try core.propose([payload], now: clock).first }
  }

  @discardableResult
  func read(_ node: TestNode) -> UInt64 {
    lastContext += 1
    let context = lastContext
    readFloors[context] = history.maxCommit
    with(node) { core, clock in try? core.readIndex(context: context, now: clock) }
    return context
  }

  /// Reads from a follower, by way of its leader.
  @discardableResult
  func readFromFollower(_ node: TestNode) -> UInt64 {
    lastContext += 1
    let context = lastContext
    readFloors[context] = history.maxCommit
    with(node) { core, clock in try? core.askReadIndex(context: context, now: clock) }
    return context
  }

  func restart(_ node: TestNode, surviving: Int = 0) {
    if node.core != nil { node.crash(surviving: surviving) }
    history.restarted(node.id)
    node.start(seed: random.next(), now: now)
    take(node)
  }

  func holdsLease(_ node: TestNode) -> Bool { node.core?.leaseHolds(now: node.clock(now)) == true }

  /// Separates the replicas of one side from all others.
  func partition(_ side: [ReplicaID]) {
    isCut = { side.contains($0.from) != side.contains($0.to) }
  }

  func heal() { isCut = { _ in false } }

  /// What must hold at every moment, beside what `history` sees by itself.
  func check() {
    let holders = nodes.filter { holdsLease($0) }
    history.leasesSeen += holders.count
    if holders.count > 1 { history.fault("lease held by \(holders.map(\.id)) at once") }
    for holder in holders where (holder.core?.commit ?? .zero) < history.maxCommit {
      history.fault("lease of \(holder.id) allows a read before \(history.maxCommit)")
    }
  }
}
