import Bytes
import Raft

/// A group of consensus cores in memory, and the messages between them, which move only when they are told to.
final class CoreGroup {
  /// A message on its way.
  struct Packet {
    let message: Message
    /// What a snapshot message streams.
    var snapshot: CoreSnapshot?
  }

  private(set) var replicas: [UInt32: CoreReplica] = [:]
  private(set) var packets: [Packet] = []
  private(set) var now: UInt64 = 1_000_000_000
  private var cuts: Set<[UInt32]> = []
  private var random = SplitMix64(seed: 1)
  let options: RaftOptions

  /// Where the log of a new group begins: behind an entry that never was (kv-raft(7), STARTING).
  static let base = (index: LogIndex(rawValue: 1), term: Term(rawValue: 1))

  init(options: RaftOptions = RaftOptions()) {
    self.options = options
  }

  static func id(_ number: UInt32) -> ReplicaID { ReplicaID(node: NodeID(rawValue: number), incarnation: 1) }

  var numbers: [UInt32] { replicas.keys.sorted() }

  /// Adds a replica that starts with a log, in a term, as one of the first members.
  func add(_ number: UInt32, membership: Membership, entries: [LogEntry] = [], term: Term = .zero) {
    let start = CoreSnapshot(index: CoreGroup.base.index, term: CoreGroup.base.term, membership: membership)
    let last = max(term, entries.last?.term ?? .zero)
    add(
      CoreReplica(
        id: CoreGroup.id(number), options: options, flushed: start, entries: entries,
        hardState: HardState(term: last)))
  }

  /// Adds a replica that has nothing yet.
  func addEmpty(_ number: UInt32) {
    add(CoreReplica(id: CoreGroup.id(number), options: options, flushed: CoreSnapshot(), hardState: HardState()))
  }

  private func add(_ replica: CoreReplica) {
    replicas[replica.id.node.rawValue] = replica
    replica.start(seed: random.next(), now: now)
    collect()
  }

  func restart(_ number: UInt32) {
    replicas[number]?.start(seed: random.next(), now: now)
    collect()
  }

  /// Calls a core, and takes its messages up; nil if the replica is down.
  func with<T>(_ number: UInt32, _ body: (inout RaftCore, UInt64) throws -> T) rethrows -> T? {
    defer { collect() }
    return try replicas[number]?.call(now: now) { try body(&$0, now) }
  }

  func sync(_ number: UInt32) {
    replicas[number]?.sync(now: now)
    collect()
  }

  // MARK: Messages

  private func collect() {
    for number in numbers {
      guard let replica = replicas[number] else { continue }
      for message in replica.takeOutbox() {
        var packet = Packet(message: message)
        if message.kind == .snapshot { packet.snapshot = replica.machine }
        packets.append(packet)
      }
    }
  }

  func cut(_ from: UInt32, _ to: UInt32) { cuts.insert([from, to]) }

  func heal() { cuts.removeAll() }

  private func isCut(_ message: Message) -> Bool {
    cuts.contains([message.from.node.rawValue, message.to.node.rawValue])
  }

  /// Loses the messages that fit.
  func drop(_ fits: (Message) -> Bool) { packets.removeAll { fits($0.message) } }

  /// Delivers the oldest message that fits; false if there is none.
  func deliver(where fits: (Message) -> Bool = { _ in true }) -> Bool {
    guard
      let place = packets.firstIndex(where: { packet in
        fits(packet.message) && replicas[packet.message.to.node.rawValue]?.isFrozen != true
      })
    else { return false }
    let packet = packets.remove(at: place)
    let message = packet.message
    guard let target = replicas[message.to.node.rawValue], target.core != nil, !isCut(message) else {
      report(message, arrived: false)
      return true
    }
    var received = message
    if let snapshot = packet.snapshot {
      target.arrived = snapshot
      received.snapshot = snapshot.header
    }
    _ = with(message.to.node.rawValue) { core, now in core.step(received, now: now) }
    report(message, arrived: true)
    return true
  }

  private func report(_ message: Message, arrived: Bool) {
    guard message.kind == .snapshot else { return }
    _ = with(message.from.node.rawValue) { core, now in
      core.reportSnapshot(to: message.to, succeeded: arrived, now: now)
    }
  }

  /// Delivers until nothing is on its way, or what is can't arrive.
  func deliverAll() {
    while deliver() {}
  }

  // MARK: Time

  /// Lets a tick's time pass; replicas that run count it.
  func tick(only: [UInt32]? = nil) {
    now += options.tickNanoseconds
    for number in only ?? numbers where replicas[number]?.isFrozen == false {
      _ = with(number) { core, now in core.tick(now: now) }
    }
  }

  func pass(nanoseconds: UInt64) { now += nanoseconds }

  /// The replica that leads the highest term.
  var leader: UInt32? {
    numbers.filter { replicas[$0]?.core?.isLeader == true }.max { one, other in
      (replicas[one]?.core?.term ?? .zero) < (replicas[other]?.core?.term ?? .zero)
    }
  }
}
