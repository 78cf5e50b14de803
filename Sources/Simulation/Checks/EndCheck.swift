import Bytes
import Node
import Wire

/// What must hold once a cluster is well again: replicas hold the same, nothing waits, and every replica's own disk
/// gives what was acknowledged.
struct EndCheck {
  private let world: SimulatedWorld
  private let record: RunRecord
  /// Whether one node may be unable to read what it has.
  private let mayHaveDamage: Bool

  init(world: SimulatedWorld, record: RunRecord, mayHaveDamage: Bool) {
    self.world = world
    self.record = record
    self.mayHaveDamage = mayHaveDamage
  }

  func run(_ report: inout TormentReport) {
    compareImages(&report)
    readBack(&report)
    checkQueues(&report)
  }

  private var hosts: [SimulatedHost] { world.hosts.values.sorted { $0.id < $1.id } }

  private func compareImages(_ report: inout TormentReport) {
    let groups = Set(hosts.flatMap { $0.node.groups }).subtracting([.catalog]).sorted()
    for group in groups {
      var first: (node: NodeID, image: Node.ReplicaImage)?
      for host in hosts {
        do {
          guard let image = try host.node.image(of: group) else { continue }
          report.checks["replicas compared by digest", default: 0] += 1
          if let first, first.image != image {
            record.fail(
              "replicas of partition \(group) differ: node \(first.node) has \(first.image), node \(host.id) \(image)")
          }
          first = first ?? (host.id, image)
        } catch {
          if !mayHaveDamage { record.fail("node \(host.id) can't read partition \(group): \(error)") }
        }
      }
    }
  }

  /// Reads every write of every key at its version from every replica.
  private func readBack(_ report: inout TormentReport) {
    var random = SplitMix64(seed: report.seed)
    for (key, writes) in record.writes.sorted(by: { $0.key.lexicographicallyPrecedes($1.key) }) {
      guard let last = writes.last else { continue }
      let sample =
        writes.count <= 60 ? writes : (0..<60).compactMap { _ in writes.randomElement(using: &random) } + [last]
      for host in hosts {
        guard let group = host.node.group(of: key), host.node.groups.contains(group) else { continue }
        for write in sample { check(write, key, host, &report) }
      }
    }
  }

  private func check(_ write: RunRecord.Applied, _ key: [UInt8], _ host: SimulatedHost, _ report: inout TormentReport) {
    let request = Requests.make(
      .readAt(write.version), key: key, session: [], sequence: 0, isEventual: true)
    var answer: WireResponse.OneOf_Body?
    host.node.handle(request, from: SimulatedWorld.admin) { answer = $0 }
    report.checks["versions read back from a replica", default: 0] += 1
    guard case .get(let response)? = answer else {
      if !mayHaveDamage { record.fail("node \(host.id) can't read back: \(String(describing: answer))") }
      return
    }
    let found = response.found ? response.value.array : nil
    if found != write.value {
      record.fail(
        "node \(host.id) shows another value of \(String(decoding: key, as: UTF8.self)) at \(write.version)")
    }
  }

  /// How long what is left may take to end, in virtual milliseconds: longer than a replica is held for a check whose
  /// leader is gone.
  private static let patienceMilliseconds: UInt64 = 40_000

  /// Without clients nothing may go on waiting.
  private func checkQueues(_ report: inout TormentReport) {
    func waiting() -> String? {
      for host in hosts {
        for (name, count) in host.node.queueLengths where count > 0 { return "\(count) \(name) on node \(host.id)" }
      }
      return nil
    }
    report.checks["queues found empty", default: 0] += hosts.count
    guard !world.run(milliseconds: EndCheck.patienceMilliseconds, until: { waiting() == nil }), let left = waiting()
    else { return }
    record.fail("with no client left there still wait \(left)")
  }
}
