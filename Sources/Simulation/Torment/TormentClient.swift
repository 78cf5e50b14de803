import Bytes
import HashRing
import Node
import Wire

/// A client that does one thing after the other, through whichever node, and writes down what it saw. What it can't
/// know for certain it asks again under the same request id, or gives up as unknown.
final class TormentClient {
  let number: Int
  private unowned let world: SimulatedWorld
  private unowned let record: RunRecord
  private let batches: Int
  private let thinking: ClosedRange<UInt64>
  private let lulls: Lulls
  private var session: [UInt8]
  /// When the session ends, by the world's time: ids of one that is older than an hour are refused.
  private var sessionEnd: UInt64
  private var random: SplitMix64
  private var sequence: UInt64 = 0
  /// The latest version of a key that this client has seen: for conditions.
  private var seen: [[UInt8]: Version] = [:]
  var isStopping = false
  /// Whether a request is under way.
  private(set) var isBusy = false

  init(number: Int, world: SimulatedWorld, record: RunRecord, profile: Profile, seed: UInt64) {
    self.number = number
    self.world = world
    self.record = record
    batches = profile.batches
    thinking = profile.thinking
    lulls = Lulls(seed: seed, profile: profile)
    random = SplitMix64(seed: SplitMix64.mix(seed ^ 0xc11e) &+ UInt64(number))
    session = Requests.session(client: number, wallMilliseconds: world.clock.wallMilliseconds)
    sessionEnd = world.time + TormentClient.sessionNanoseconds
  }

  private static let sessionNanoseconds: UInt64 = 1_800_000_000_000

  /// Does the next thing, and the next when that has ended.
  func next() {
    guard !isStopping else { return }
    if world.time >= sessionEnd {
      session = Requests.session(client: number, wallMilliseconds: world.clock.wallMilliseconds)
      sessionEnd = world.time + TormentClient.sessionNanoseconds
    }
    let key = record.keys[Int.random(in: record.keys.indices, using: &random)]
    if batches > 0, !lulls.contains(world.time), Int.random(in: 0..<100, using: &random) < batches {
      return together(key)
    }
    let firstKind = lulls.contains(world.time) ? TormentClient.firstRead : 0
    switch Int.random(in: firstKind..<100, using: &random) {
    case 0..<32: begin(.write(value: value(), condition: .none), key)
    case 32..<40: begin(.write(value: value(), condition: .version(seen[key] ?? .zero)), key)
    case 40..<45: begin(.write(value: value(), condition: .absent), key)
    case 45..<54: begin(.write(value: nil, condition: .none), key)
    case TormentClient.firstRead..<82: begin(.read, key)
    case 82..<90: begin(.readAt(record.someVersion(&random)), key)
    case 90..<96: range()
    default: glance(key)
    }
  }

  private static let firstRead = 54

  private func value() -> [UInt8] {
    let size = Int.random(in: 0..<40, using: &random) == 0 ? Int.random(in: 0..<6_000, using: &random) : 20
    return Array("c\(number).\(sequence + 1) ".utf8) + [UInt8](repeating: UInt8(ascii: "x"), count: size)
  }

  private func pause() {
    isBusy = false
    if sequence % 16 == 0 { tell() }
    world.at(world.time + UInt64.random(in: thinking, using: &random) * 1_000) { [weak self] in self?.next() }
  }

  /// Tells all nodes that this client asks for none of its writes so far again.
  private func tell() {
    let request = Requests.acknowledgement(session: session, through: sequence)
    for node in world.hosts.keys.sorted() { world.send(request, to: node) { _ in } }
  }

  private func someNode() -> NodeID? { world.hosts.keys.sorted().randomElement(using: &random) }

  /// Asks a node; calls back with nil where no answer comes.
  private func ask(_ given: WireRequest, _ done: @escaping (WireResponse.OneOf_Body?) -> Void) {
    var request = given
    request.timeoutMs = UInt32.random(in: 200...4_000, using: &random)
    var isOver = false
    func end(_ body: WireResponse.OneOf_Body?) {
      guard !isOver else { return }
      isOver = true
      done(body)
    }
    if let node = someNode() { world.send(request, to: node) { end($0) } }
    // Some wait no longer than they say, some a little.
    world.after(milliseconds: UInt64(request.timeoutMs) + UInt64.random(in: 0...300, using: &random)) { end(nil) }
  }

  // MARK: One key

  private func begin(_ intent: Intent, _ key: [UInt8]) {
    isBusy = true
    if case .write = intent { sequence += 1 }
    let request = Requests.make(intent, key: key, session: session, sequence: sequence, isEventual: false)
    let attempts = Int.random(in: 0..<3, using: &random)
    attempt(request, intent, key, sent: world.time, left: attempts, mayBeDone: false)
  }

  private func attempt(
    _ given: WireRequest, _ intent: Intent, _ key: [UInt8], sent: UInt64, left: Int, mayBeDone: Bool
  ) {
    var request = given
    if mayBeDone { request.mustSettle() }
    ask(request) { [self] body in
      var outcome = TormentClient.outcome(of: body, intent)
      // An attempt before this one may be done yet, whatever this one says, unless it is recorded.
      if mayBeDone, !outcome.isDone, !(body?.isRecorded ?? false) { outcome = .unknown }
      if outcome == .unknown, left > 0 {
        return attempt(request, intent, key, sent: sent, left: left - 1, mayBeDone: true)
      }
      switch outcome {
      case .done(let version), .found(_, let version), .conditionFalse(let version): seen[key] = version
      case .absent: seen[key] = .zero
      case .notDone, .unknown: break
      }
      note(
        Operation(
          client: number, key: key, intent: intent, sequence: sequence, sent: sent, answered: world.time,
          outcome: outcome),
        because: body)
      pause()
    }
  }

  // MARK: Several keys

  /// Writes a few keys together, mostly of the part of the ring in which the first lies.
  private func together(_ first: [UInt8]) {
    isBusy = true
    sequence += 1
    let quarter = Position(ofBytes: first).rawValue >> 62
    let isNear = Int.random(in: 0..<8, using: &random) > 0
    var written = [first]
    for key in record.keys {
      guard key != first, !isNear || Position(ofBytes: key).rawValue >> 62 == quarter else { continue }
      if Bool.random(using: &random), written.count < 5 { written.append(key) }
    }
    let condition = Int.random(in: 0..<4, using: &random) == 0 ? Intent.Condition.absent : .none
    let intent = Intent.write(value: value(), condition: condition)
    let request = Requests.batch(intent, keys: written, session: session, sequence: sequence)
    let attempts = Int.random(in: 0..<3, using: &random)
    attempt(request, intent, keys: written, sent: world.time, left: attempts, mayBeDone: false)
  }

  private func attempt(
    _ given: WireRequest, _ intent: Intent, keys: [[UInt8]], sent: UInt64, left: Int, mayBeDone: Bool
  ) {
    var request = given
    if mayBeDone { request.mustSettle() }
    ask(request) { [self] body in
      var outcome = TormentClient.outcome(of: body, intent)
      if mayBeDone, !outcome.isDone, !(body?.isRecorded ?? false) { outcome = .unknown }
      if outcome == .unknown, left > 0 {
        return attempt(request, intent, keys: keys, sent: sent, left: left - 1, mayBeDone: true)
      }
      var culprit: Int?
      if case .failure(let failure)? = body, keys.count > 1 { culprit = Int(failure.write) - 1 }
      for (place, key) in keys.enumerated() {
        var own = outcome
        if case .conditionFalse = outcome, let culprit, culprit != place { own = .notDone }
        switch own {
        case .done(let version), .conditionFalse(let version): seen[key] = version
        default: break
        }
        note(
          Operation(
            client: number, key: key, intent: intent, sequence: sequence, sent: sent, answered: world.time, outcome: own
          ),
          because: body)
      }
      record.addBatch(keys, client: number, sequence: sequence)
      pause()
    }
  }

  private func note(_ operation: Operation, because body: WireResponse.OneOf_Body? = nil) {
    var reason = ""
    if case .failure(let failure)? = body { reason = " (\(failure.message))" }
    world.say(operation.words + reason)
    world.trace.note(4, UInt64(number), operation.answered, operation.outcome.mark)
    record.add(operation)
  }

  private static func outcome(of body: WireResponse.OneOf_Body?, _ intent: Intent) -> Outcome {
    switch (body, intent) {
    case (.write(let response)?, .write): .done(Version(rawValue: response.version))
    case (.get(let response)?, .read), (.get(let response)?, .readAt):
      response.found ? .found(response.value.array, Version(rawValue: response.version)) : .absent
    case (.failure(let failure)?, .write) where failure.code == .conditionFalse:
      .conditionFalse(Version(rawValue: failure.version))
    case (.failure(let failure)?, .write) where failure.code != .unknownOutcome: .notDone
    case (_, .write): .unknown
    default: .notDone
    }
  }

  // MARK: Other requests

  /// Looks at what some replica has, whatever its age.
  private func glance(_ key: [UInt8]) {
    isBusy = true
    let sent = world.time
    ask(Requests.make(.read, key: key, session: session, sequence: 0, isEventual: true)) { [self] body in
      if case .get(let response)? = body {
        record.glimpsed(
          key, response.found ? response.value.array : nil, Version(rawValue: response.version),
          lagMilliseconds: response.lagMs, sent: sent)
      }
      pause()
    }
  }

  /// Reads everything at one version: that of now, one of the past, or the newest that some replicas know.
  private func range() {
    isBusy = true
    if Int.random(in: 0..<3, using: &random) == 0 { return rangeOfReplicas() }
    guard Bool.random(using: &random) else { return range(at: record.someVersion(&random), since: nil) }
    let began = world.time
    ask(.with { $0.now = WireNowRequest() }) { [self] body in
      guard case .now(let response)? = body else { return pause() }
      range(at: Version(rawValue: response.version), since: began)
    }
  }

  /// Reads what one node can read without leading, at the version that it says.
  private func rangeOfReplicas() {
    ask(.with { $0.map = WireMapRequest() }) { [self] body in
      guard case .map(let map)? = body, let node = someNode() else { return pause() }
      let parts = map.partitions.filter { $0.voters.contains { ReplicaID(rawValue: $0).node == node } }
      guard !parts.isEmpty else { return pause() }
      var isOver = false
      func end(_ body: WireResponse.OneOf_Body?) {
        guard !isOver else { return }
        isOver = true
        if case .range(let response)? = body {
          record.ranged(parts, response, at: Version(rawValue: response.at), since: nil)
        }
        pause()
      }
      world.send(Requests.range(parts, at: .zero, isReverse: false), to: node) { end($0) }
      world.after(milliseconds: UInt64(Requests.timeoutMilliseconds) + 500) { end(nil) }
    }
  }

  private func range(at version: Version, since began: UInt64?) {
    guard version > .zero else { return pause() }
    ask(.with { $0.map = WireMapRequest() }) { [self] body in
      guard case .map(let map)? = body else { return pause() }
      let byLeader = Dictionary(grouping: map.partitions, by: \.leader)
      guard let leader = byLeader.keys.sorted().randomElement(using: &random), let part = byLeader[leader],
        world.hosts[NodeID(rawValue: leader)] != nil
      else { return pause() }
      let request = Requests.range(part, at: version, isReverse: Bool.random(using: &random))
      var isOver = false
      func end(_ body: WireResponse.OneOf_Body?) {
        guard !isOver else { return }
        isOver = true
        if case .range(let response)? = body {
          record.ranged(part, response, at: version, since: began)
          world.trace.note(5, UInt64(number), world.time, UInt64(response.records.count))
        }
        pause()
      }
      world.send(request, to: NodeID(rawValue: leader)) { end($0) }
      world.after(milliseconds: UInt64(Requests.timeoutMilliseconds) + 500) { end(nil) }
    }
  }
}

extension WireResponse.OneOf_Body {
  /// Whether it is the outcome for good that nothing was written.
  fileprivate var isRecorded: Bool {
    switch self {
    case .write(let answer): answer.recorded
    case .failure(let failure): failure.recorded
    default: false
    }
  }
}

extension Outcome {
  fileprivate var isDone: Bool { if case .done(let version) = self { version > .zero } else { false } }

  fileprivate var mark: UInt64 {
    switch self {
    case .done(let version): version.rawValue
    case .conditionFalse(let version): ~version.rawValue
    case .found(let value, let version): version.rawValue ^ UInt64(value.count) << 32
    case .absent: 1
    case .notDone: 2
    case .unknown: 3
    }
  }
}
