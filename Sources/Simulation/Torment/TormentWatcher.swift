import Bytes
import HashRing
import Node
import Wire

/// What a watcher was told: every change above one version up to another, in order.
struct WatchedSpan {
  let after: Version
  var through: Version
  var changes: [Record] = []
}

/// A client that follows all changes, as `kv watch` does: it asks for a version, then each leader for what came up to
/// there in its partitions, in parts; what fails half way is asked for anew, from whoever leads then.
final class TormentWatcher {
  private unowned let world: SimulatedWorld
  private var random: SplitMix64
  /// What was told. A new span begins where the versions in between have left retention.
  private(set) var spans: [WatchedSpan] = []
  var isStopping = false
  private(set) var isBusy = false

  init(number: Int, world: SimulatedWorld, seed: UInt64) {
    self.world = world
    random = SplitMix64(seed: SplitMix64.mix(seed ^ 0x3a7c4) &+ UInt64(number))
  }

  /// Looks for changes, and again after a while.
  func next() {
    guard !isStopping else { return }
    isBusy = true
    ask(.with { $0.now = WireNowRequest() }, of: someNode()) { [self] body in
      guard case .now(let response)? = body else { return pause() }
      let version = Version(rawValue: response.version)
      guard let position = spans.last?.through else {
        spans.append(WatchedSpan(after: version, through: version))
        return pause()
      }
      guard version > position else { return pause() }
      ask(.with { $0.map = WireMapRequest() }, of: someNode()) { [self] body in
        guard case .map(let map)? = body else { return pause() }
        let byLeader = Dictionary(grouping: map.partitions, by: \.leader).sorted { $0.key < $1.key }
        gather(byLeader.map(\.value), from: position, through: version, found: [])
      }
    }
  }

  /// Asks one node after the other, each for all partitions that it leads.
  private func gather(
    _ parts: [[WireMapResponse.Partition]], from position: Version, through version: Version, found: [Record]
  ) {
    guard let part = parts.first else {
      spans[spans.count - 1].changes += found.sorted { ($0.version, $0.key) < ($1.version, $1.key) }
      spans[spans.count - 1].through = version
      return pause()
    }
    gather(part, from: position, through: version, found: found) { [self] found in
      gather(Array(parts.dropFirst()), from: position, through: version, found: found)
    }
  }

  private func gather(
    _ parts: [WireMapResponse.Partition], from position: Version, through version: Version, found: [Record],
    _ done: @escaping ([Record]) -> Void
  ) {
    let request = WireRequest.with {
      $0.timeoutMs = UInt32.random(in: 200...4_000, using: &random)
      $0.watch = .with {
        $0.groups = parts.map(\.group)
        $0.bits = parts.map(\.bits)
        $0.after = position.rawValue
        $0.through = version.rawValue
        $0.credit = [1, 100, 1 << 20].randomElement(using: &random) ?? 1
      }
    }
    let leader = NodeID(rawValue: parts[0].leader)
    ask(request, of: Int.random(in: 0..<8, using: &random) == 0 ? someNode() : leader) { [self] body in
      switch body {
      case .watch(let response)?:
        guard let records = TormentWatcher.records(response) else { return pause() }
        let reached = Version(rawValue: response.through)
        if reached >= version { return done(found + records) }
        guard reached > position else { return pause() }
        gather(parts, from: reached, through: version, found: found + records, done)
      case .failure(let failure)? where failure.code == .notRetained:
        spans.append(WatchedSpan(after: version, through: version))
        pause()
      default: pause()
      }
    }
  }

  private static func records(_ response: WireWatchResponse) -> [Record]? {
    var records: [Record] = []
    var reader = ByteReader(response.records.array)
    while !reader.isAtEnd {
      guard let record = try? Record(from: &reader) else { return nil }
      records.append(record)
    }
    return records
  }

  private func pause() {
    isBusy = false
    world.at(world.time + UInt64.random(in: 20...3_000, using: &random) * 1_000_000) { [weak self] in self?.next() }
  }

  private func someNode() -> NodeID? { world.hosts.keys.sorted().randomElement(using: &random) }

  /// Asks a node; calls back with nil where no answer comes.
  private func ask(_ given: WireRequest, of node: NodeID?, _ done: @escaping (WireResponse.OneOf_Body?) -> Void) {
    var request = given
    if request.timeoutMs == 0 { request.timeoutMs = 2_000 }
    var isOver = false
    func end(_ body: WireResponse.OneOf_Body?) {
      guard !isOver else { return }
      isOver = true
      done(body)
    }
    if let node, world.hosts[node] != nil { world.send(request, to: node) { end($0) } }
    world.after(milliseconds: UInt64(request.timeoutMs) + 200) { end(nil) }
  }
}
