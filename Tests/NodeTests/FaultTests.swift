import Bytes
import Glibc
import Simulation
import Testing
import Wire

@testable import Node

/// Clients that write and read while nodes are killed, frozen and cut off, over many seeds.
@Suite struct FaultTests {
  /// The seeds: a dozen, or as many as FAULT_SEEDS says, from FAULT_FIRST_SEED on.
  static var seeds: ClosedRange<UInt64> {
    func number(_ name: String, _ value: UInt64) -> UInt64 {
      getenv(name).flatMap { UInt64(String(cString: $0)) } ?? value
    }
    let first = number("FAULT_FIRST_SEED", 1)
    return first...(first + number("FAULT_SEEDS", 12) - 1)
  }

  @Test(
    "no acknowledged write is lost, no read is stale, versions agree with real time",
    arguments: FaultTests.seeds)
  func faults(seed: UInt64) throws {
    let world = try SimulatedWorld(seed: seed, partitions: 4)
    for _ in 0..<2 { _ = try world.join() }
    try #require(world.settle(), "seed \(seed): not healthy at the start")
    let clients = (0..<6).map { WorkloadClient(world: world, number: UInt64($0), seed: seed) }
    for client in clients { client.next() }
    var random = SplitMix64(seed: seed)
    for _ in 0..<6 {
      let victim = NodeID(rawValue: UInt32.random(in: 1...3, using: &random))
      let others = [1, 2, 3].map { NodeID(rawValue: $0) }.filter { $0 != victim }
      switch Int.random(in: 0..<4, using: &random) {
      case 0:
        world.kill(victim)
        world.run(milliseconds: 2_500)
        try world.start(victim)
      case 1:
        world.freeze(victim)
        world.run(milliseconds: 2_500)
        world.thaw(victim)
      case 2:
        for other in others { world.cut(from: victim, to: other) }
        world.run(milliseconds: 2_500)
        world.mend()
      default:
        for node in others + [victim] { world.kill(node) }
        world.run(milliseconds: 500)
        for node in others + [victim] { try world.start(node) }
      }
      world.run(milliseconds: 3_000)
    }
    for client in clients { client.isStopping = true }
    world.run(milliseconds: 12_000)
    #expect(world.settle(), "seed \(seed): not healthy at the end")
    #expect(world.stops.isEmpty, "seed \(seed): \(world.stops)")
    for client in clients {
      #expect(client.done > 20, "seed \(seed): client \(client.number) did only \(client.done) writes")
      #expect(client.faults.isEmpty, "seed \(seed): \(client.faults.prefix(3))")
      client.checkEnd()
      #expect(client.faults.isEmpty, "seed \(seed): \(client.faults.prefix(3))")
    }
    WorkloadClient.checkOrder(clients, seed: seed)
  }
}

/// One client that writes a counter to its own key and reads it back, through whichever node. It is the key's only
/// writer, so it knows what a read may give: the last acknowledged value, or a later one whose outcome is unknown.
final class WorkloadClient {
  let world: SimulatedWorld
  let number: UInt64
  var isStopping = false
  private(set) var done = 0
  private(set) var faults: [String] = []
  private var random: SplitMix64
  private var counter: UInt64 = 0
  private var acknowledged: (counter: UInt64, version: Version) = (0, .zero)
  /// Sent and answered, in the world's time, with the version given.
  private var spans: [(sent: UInt64, answered: UInt64, version: Version)] = []
  private var history: [(version: Version, value: String)] = []

  init(world: SimulatedWorld, number: UInt64, seed: UInt64) {
    self.world = world
    self.number = number
    random = SplitMix64(seed: seed &* 1000 &+ number)
  }

  private var key: String { "client\(number)" }
  private var now: UInt64 { world.clock.now.rawValue }

  /// Does one step, and the next when it is answered or too late.
  func next() {
    guard !isStopping else { return }
    let node = NodeID(rawValue: UInt32.random(in: 1...3, using: &random))
    guard world.hosts[node] != nil else { return later() }
    Bool.random(using: &random) ? write(to: node) : read(from: node)
  }

  private func later() {
    world.after(milliseconds: UInt64.random(in: 5...40, using: &random)) { [self] in next() }
  }

  private func write(to node: NodeID) {
    counter += 1
    let (counter, sent) = (counter, now)
    let request = SimulatedWorld.write(key, "\(counter)", id: number << 32 | counter)
    attempt(request, to: node) { [self] body in
      if let version = body?.version {
        if version <= acknowledged.version { faults.append("\(key): version \(version) after \(acknowledged.version)") }
        acknowledged = (counter, version)
        spans.append((sent, now, version))
        history.append((version, "\(counter)"))
        done += 1
      }
      later()
    }
  }

  private func read(from node: NodeID) {
    let least = acknowledged.counter
    attempt(SimulatedWorld.read(key), to: node) { [self] body in
      if case .get(let response)? = body {
        let found = UInt64(String(decoding: response.value, as: UTF8.self)) ?? 0
        if found < least || found > counter {
          faults.append("\(key): read \(found), acknowledged \(least), sent \(counter)")
        }
      }
      later()
    }
  }

  private func attempt(_ request: WireRequest, to node: NodeID, _ done: @escaping (WireResponse.OneOf_Body?) -> Void) {
    var isOver = false
    func end(_ body: WireResponse.OneOf_Body?) {
      guard !isOver else { return }
      isOver = true
      done(body)
    }
    world.send(request, to: node) { end($0) }
    world.after(milliseconds: 9_000) { end(nil) }
  }

  /// Reads everything acknowledged back: the latest, and each version.
  func checkEnd() {
    guard let latest = world.get(key).flatMap(UInt64.init), latest >= acknowledged.counter else {
      return faults.append("\(key): \(acknowledged.counter) was acknowledged and is gone")
    }
    for (version, value) in history {
      let found = world.get(key, at: version)
      if found != value { faults.append("\(key) at \(version): \(found ?? "nothing") instead of \(value)") }
    }
  }

  /// Promise P3: a write acknowledged before another is sent has the lower version, whatever their keys.
  static func checkOrder(_ clients: [WorkloadClient], seed: UInt64) {
    let spans = clients.flatMap(\.spans)
    #expect(Set(spans.map(\.version)).count == spans.count, "seed \(seed): a version was given out twice")
    let bySending = spans.sorted { $0.sent < $1.sent }
    let byAnswer = spans.sorted { $0.answered < $1.answered }
    var answered = 0
    var highest = Version.zero
    for span in bySending {
      while answered < byAnswer.count, byAnswer[answered].answered < span.sent {
        highest = max(highest, byAnswer[answered].version)
        answered += 1
      }
      #expect(span.version > highest, "seed \(seed): a later write has a lower version")
    }
  }
}
