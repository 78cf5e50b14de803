import Bytes
import FoundationEssentials
import HashRing
import Wire

@testable import Client

/// A cluster of fake nodes over one simple store: leaders, request ids, conditions, versions, ranges. What goes wrong
/// is said by `fault`, request by request.
final class FakeCluster {
  /// What happens to a request instead of its being carried out and answered.
  enum Fault {
    /// The node answers this and does nothing.
    case say(WireFailure.Code)
    /// The connection ends before the node has read the request.
    case lose
    /// The node does it, and the connection ends before the answer.
    case loseAnswer
    /// The connection ends at once, and the node does it so much later.
    case doLater(UInt64)
    /// Nothing comes back, and nothing is done.
    case ignore
    /// It is done, and answered so much later.
    case slow(UInt64)
    /// Sent in place of what the node would send.
    case send(WireResponse.OneOf_Body)
  }

  static let name = "test"
  let world = FakeWorld()
  private(set) var arcs: [Arc]
  private var epoch: UInt64 = 1
  /// The node that leads each partition; 0: none.
  var leaders: [UInt32]
  let nodeCount: Int
  /// What goes wrong with a request at a node.
  var fault: (_ node: UInt32, _ request: WireRequest) -> Fault? = { _, _ in nil }
  /// Nodes pass requests on to leaders; false: they say who leads.
  var forwards = false
  var store: [Key: Record] = [:]
  /// What was applied, by request id, in order.
  private(set) var applied: [(id: RequestID, version: Version)] = []
  /// What nodes were told of the writes that the client has heard of.
  private(set) var acknowledged: [(node: UInt32, session: SessionID?, through: UInt64)] = []
  private var versions: [RequestID: Version] = [:]
  /// What was refused for good, by request id.
  private(set) var refusals: [RequestID: WireResponse.OneOf_Body] = [:]
  /// Whether nodes record refusals where they are asked to: older ones don't.
  var records = true
  private var lastVersion: UInt64 = 1 << 40
  /// At most so many records in one answer.
  var chunk = 7

  init(nodes: Int = 3, partitions: Int = 16) {
    nodeCount = nodes
    arcs = (try? Arc.equalParts(count: partitions)) ?? []
    leaders = (0..<partitions).map { UInt32($0 % nodes + 1) }
    for node in 1...UInt32(nodes) {
      world.nodes[FakeCluster.address(node)] = FakeNode(FakeCluster.address(node)) { [unowned self] request in
        self.serve(request, on: node)
      }
    }
  }

  static func address(_ node: UInt32) -> String { "10.0.0.\(node):4711" }

  func node(_ number: UInt32) -> FakeNode { world.nodes[FakeCluster.address(number)] ?? FakeNode("") { _ in .silence } }

  func file(nodes: [UInt32] = [1, 2, 3]) -> ClusterFile {
    ClusterFile(
      cluster: FakeCluster.name, addresses: nodes.map(FakeCluster.address), authority: [1], certificate: [2],
      privateKey: [3])
  }

  func client(timeout: Int = 5000, state: StateDirectory? = nil, nodes: [UInt32] = [1, 2, 3]) -> Client {
    Client(file(nodes: nodes), timeout: timeout, state: state, surroundings: world)
  }

  var mapMessage: WireMapResponse {
    var map = WireMapResponse()
    map.cluster = FakeCluster.name
    map.epoch = epoch
    map.members = (1...UInt32(nodeCount)).map { node in
      var member = WireMember()
      member.id = node
      member.address = FakeCluster.address(node)
      return member
    }
    map.partitions = arcs.enumerated().map { place, arc in
      var partition = WireMapResponse.Partition()
      partition.group = UInt32(place + 1)
      partition.bits = UInt32(arc.bits)
      partition.prefix = arc.prefix
      partition.leader = leaders[place]
      partition.voters = (1...UInt32(nodeCount)).map {
        ReplicaID(node: NodeID(rawValue: $0), incarnation: 1).rawValue
      }
      return partition
    }
    return map
  }

  /// Cuts every partition in half.
  func splitAll() {
    arcs = (try? Arc.equalParts(count: 2 * arcs.count)) ?? []
    leaders = leaders.flatMap { [$0, $0 % UInt32(nodeCount) + 1] }
    epoch += 1
  }

  func place(of key: Key) -> Int { Int(Position(of: key).rawValue >> (64 - UInt64(arcs[0].bits))) }

  /// A value written behind the client's back.
  func seed(_ key: Key, _ value: [UInt8]) {
    store[key] = Record(key: key, version: nextVersion(), value: value)
  }

  private func nextVersion() -> Version {
    lastVersion += 1
    return Version(rawValue: lastVersion)
  }

  private func serve(_ request: WireRequest, on node: UInt32) -> FakeNode.Reply {
    switch fault(node, request) {
    case nil: return .answer(carryOut(request, on: node))
    case .say(let code): return .answer(.failure(FakeCluster.failure(code)))
    case .lose: return .hangUp
    case .loseAnswer:
      _ = carryOut(request, on: node)
      return .hangUp
    case .doLater(let delay):
      world.after(delay) { _ = self.carryOut(request, on: node) }
      return .hangUp
    case .ignore: return .silence
    case .slow(let delay): return .answerAfter(delay, carryOut(request, on: node))
    case .send(let body): return .answer(body)
    }
  }

  static func failure(_ code: WireFailure.Code, leader: UInt32 = 0) -> WireFailure {
    var failure = WireFailure()
    failure.code = code
    failure.message = "said \(code)"
    failure.leader = leader
    failure.version = 77
    failure.floor = 55
    return failure
  }

  private func carryOut(_ request: WireRequest, on node: UInt32) -> WireResponse.OneOf_Body {
    switch request.body {
    case .map: return .map(mapMessage)
    case .now:
      var now = WireNowResponse()
      now.version = lastVersion
      return .now(now)
    case .write(let write):
      return asLeader(of: Key(write.key.array), on: node) { self.write(write) }
    case .batch(let batch):
      return asLeader(of: Key(batch.writes[0].key.array), on: node) { self.write(batch) }
    case .get(let get):
      return asLeader(of: Key(get.key.array), on: node) { self.get(get) }
    case .range(let range): return self.range(range, on: node)
    case .acknowledge(let message):
      acknowledged.append((node, SessionID(message.session.array), message.through))
      return .acknowledge(WireAcknowledgeResponse())
    case .status:
      var status = WireStatusResponse()
      status.node = node
      return .status(status)
    default: return .failure(FakeCluster.failure(.invalid))
    }
  }

  private func asLeader(
    of key: Key, on node: UInt32, _ body: () -> WireResponse.OneOf_Body
  ) -> WireResponse.OneOf_Body {
    let leader = leaders[place(of: key)]
    if leader == 0 { return .failure(FakeCluster.failure(.unavailable)) }
    if leader == node || forwards { return body() }
    return .failure(FakeCluster.failure(.notLeader, leader: leader))
  }

  /// The answer to a write that is not made; recorded where it asks for that.
  private func refuse(_ id: RequestID, settle: Bool, _ body: WireResponse.OneOf_Body) -> WireResponse.OneOf_Body {
    guard settle, records else { return body }
    var body = body
    switch body {
    case .write(var answer):
      answer.recorded = true
      body = .write(answer)
    case .failure(var failure):
      failure.recorded = true
      body = .failure(failure)
    default: break
    }
    refusals[id] = body
    return body
  }

  private func write(_ write: WireWriteRequest) -> WireResponse.OneOf_Body {
    guard let session = SessionID(write.session.array), write.sequence > write.acknowledged else {
      return .failure(FakeCluster.failure(.invalid))
    }
    let id = RequestID(session: session, sequence: write.sequence)
    var response = WireWriteResponse()
    if let known = versions[id] {
      response.version = known.rawValue
      return .write(response)
    }
    if let refusal = refusals[id] { return refusal }
    let key = Key(write.key.array)
    let current = store[key]
    let isTrue =
      switch write.condition {
      case .ifAbsent: current == nil
      case .ifVersion: current?.version.rawValue == write.expected
      default: true
      }
    guard isTrue else {
      var failure = FakeCluster.failure(.conditionFalse)
      failure.version = current?.version.rawValue ?? 0
      return refuse(id, settle: write.settle, .failure(failure))
    }
    if write.tombstone && current == nil { return refuse(id, settle: write.settle, .write(response)) }
    let version = nextVersion()
    store[key] = write.tombstone ? nil : Record(key: key, version: version, value: write.value.array)
    applied.append((id, version))
    versions[id] = version
    response.version = version.rawValue
    return .write(response)
  }

  private func write(_ batch: WireBatchRequest) -> WireResponse.OneOf_Body {
    guard let session = SessionID(batch.session.array), batch.sequence > batch.acknowledged else {
      return .failure(FakeCluster.failure(.invalid))
    }
    let id = RequestID(session: session, sequence: batch.sequence)
    var response = WireWriteResponse()
    if let known = versions[id] {
      response.version = known.rawValue
      return .write(response)
    }
    if let refusal = refusals[id] { return refusal }
    guard Set(batch.writes.map { place(of: Key($0.key.array)) }).count == 1 else {
      return .failure(FakeCluster.failure(.spansPartitions))
    }
    for (number, write) in batch.writes.enumerated() where write.condition == .ifAbsent {
      guard let present = store[Key(write.key.array)] else { continue }
      var failure = FakeCluster.failure(.conditionFalse)
      failure.version = present.version.rawValue
      failure.write = UInt32(number + 1)
      return refuse(id, settle: batch.settle, .failure(failure))
    }
    let version = nextVersion()
    for write in batch.writes {
      store[Key(write.key.array)] = Record(key: Key(write.key.array), version: version, value: write.value.array)
    }
    applied.append((id, version))
    versions[id] = version
    response.version = version.rawValue
    return .write(response)
  }

  private func get(_ get: WireGetRequest) -> WireResponse.OneOf_Body {
    var response = WireGetResponse()
    if let record = store[Key(get.key.array)] {
      response.found = true
      response.version = record.version.rawValue
      response.value = Data(record.value)
    }
    return .get(response)
  }

  private func range(_ request: WireRangeRequest, on node: UInt32) -> WireResponse.OneOf_Body {
    let places = Set(request.groups.map { Int($0) - 1 })
    guard places.allSatisfy({ leaders[$0] == node }) else { return .failure(FakeCluster.failure(.notLeader)) }
    let min = Key(request.min.array)
    let max = Key(request.max.array)
    var records = store.values.filter { record in
      places.contains(place(of: record.key)) && record.key >= min && (!request.bounded || record.key < max)
        && record.version.rawValue <= request.at
    }
    records.sort { request.reverse ? $1.key < $0.key : $0.key < $1.key }
    let most = request.limit == 0 ? chunk : Swift.min(chunk, Int(request.limit))
    var writer = ByteWriter()
    for record in records.prefix(most) {
      let value = request.keysOnly ? [] : record.value
      Record(key: record.key, version: record.version, value: value).encode(into: &writer)
    }
    var response = WireRangeResponse()
    response.records = Data(writer.bytes)
    response.more = records.count > most
    return .range(response)
  }
}
