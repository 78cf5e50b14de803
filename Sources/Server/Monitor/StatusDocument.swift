import Bytes
import Node
import Wire

/// What the status page draws, as one JSON object: the ring as this node knows it, and what this node does.
struct StatusDocument: Encodable {
  struct Member: Encodable {
    let node: UInt32
    let address: String
    let zone: String
  }

  struct Partition: Encodable {
    let group: UInt32
    /// Where the partition's arc begins and ends, in parts of the whole ring.
    let start: Double
    let end: Double
    /// The node that leads it; 0: unknown.
    let leader: UInt32
    /// The nodes whose replicas vote.
    let nodes: [UInt32]
    /// Of the replica on this node: how many committed entries it has not applied; nil where there is none.
    let lag: UInt64?
    let fenced: Bool
  }

  struct Work: Encodable {
    let kind: String
    let count: UInt64
    let failures: UInt64
    let seconds: Double
  }

  let cluster: String
  let node: UInt32
  let version: String
  let time: Double
  let uptime: Double
  let ready: Bool
  let obstacles: [String]
  let problems: [String]
  let damage: [String]
  let moving: UInt32
  let members: [Member]
  let partitions: [Partition]
  let requests: [Work]
  let lag: UInt64
  let resident: UInt64
  let diskFree: UInt64
  let logBytes: UInt64
  let certificateExpires: UInt64

  init(_ snapshot: MonitorSnapshot) {
    let status = snapshot.status
    cluster = status.cluster
    node = status.node
    version = status.version
    time = Double(snapshot.wallMilliseconds) / 1000
    uptime = Double(status.uptimeMs) / 1000
    obstacles = snapshot.obstacles
    ready = obstacles.isEmpty
    problems = status.problems
    damage = status.damage
    moving = status.moving
    members = status.members.map { Member(node: $0.id, address: $0.address, zone: $0.zone) }
    let local = Dictionary(status.groups.map { ($0.group, $0) }) { first, _ in first }
    partitions = (snapshot.map?.partitions ?? []).map { StatusDocument.partition($0, local[$0.group]) }
    requests = RequestMeter.Kind.allCases.map { kind in
      let tally = snapshot.requests[kind]
      return Work(
        kind: kind.rawValue, count: tally.latency.count, failures: tally.failures,
        seconds: Double(tally.latency.sum) / 1e9)
    }
    lag = status.groups.map { $0.commit - min($0.commit, $0.applied) }.max() ?? 0
    resident = status.residentBytes
    diskFree = status.diskFreeBytes
    logBytes = status.logBytes
    certificateExpires = status.certificateExpires
  }

  private static func partition(
    _ entry: WireMapResponse.Partition, _ local: WireStatusResponse.GroupStatus?
  ) -> Partition {
    // The upper `bits` bits of a position in the arc are `prefix`: 2 to the power of `bits` equal arcs make the ring.
    let arcs = Double(sign: .plus, exponent: Int(min(entry.bits, 64)), significand: 1)
    let start = Double(entry.prefix) / arcs
    return Partition(
      group: entry.group, start: start, end: start + 1 / arcs, leader: entry.leader,
      nodes: entry.voters.map { ReplicaID(rawValue: $0).node.rawValue },
      lag: local.map { $0.commit - min($0.commit, $0.applied) }, fenced: local?.fenced ?? false)
  }
}
