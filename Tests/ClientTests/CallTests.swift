import Bytes
import Testing
import Wire

@testable import Client

@Suite struct CallTests {
  private let cluster = FakeCluster()
  private let key = Key("greeting")
  private var leader: UInt32 { cluster.leaders[cluster.place(of: key)] }

  private func isWrite(_ request: WireRequest) -> Bool {
    if case .write = request.body { true } else { false }
  }

  @Test("put, get, delete, get")
  func basics() throws {
    let client = cluster.client()
    let version = try client.put(key, [1, 2, 3])
    #expect(try client.get(key) == Found(version: version, value: [1, 2, 3]))
    let deleted = try client.delete(key)
    #expect(try #require(deleted) > version)
    #expect(try client.get(key) == nil)
    #expect(try client.delete(key) == nil)
  }

  @Test("a one-shot command makes one connection and sends one request, where nodes pass requests on")
  func oneRoundTrip() throws {
    cluster.forwards = true
    _ = try cluster.client().put(key, [1])
    #expect(cluster.world.dials == [FakeCluster.address(1)])
    #expect(cluster.node(1).requests.count == 1)
  }

  @Test("a node that doesn't lead says who does, and the next requests go straight there")
  func notLeader() throws {
    cluster.leaders = cluster.leaders.map { _ in 3 }
    let client = cluster.client()
    _ = try client.put(key, [1])
    _ = try client.put(key, [2])
    let before = cluster.node(1).requests.count
    _ = try client.put(key, [3])
    #expect(cluster.node(1).requests.count == before)
    #expect(cluster.applied.count == 3)
  }

  @Test("conditions are passed on and a false one tells the key's version")
  func conditions() throws {
    let client = cluster.client()
    let version = try client.put(key, [1], condition: .ifAbsent)
    #expect(throws: ClientError.conditionFalse(current: version)) {
      try client.put(key, [2], condition: .ifAbsent)
    }
    _ = try client.put(key, [2], condition: .ifVersion(version))
    #expect(throws: ClientError.conditionFalse(current: nil)) {
      try client.put(Key("other"), [2], condition: .ifVersion(version))
    }
  }

  @Test("a lost answer is asked for again with the same request id: applied once, the same version")
  func lostAnswer() throws {
    var isFirst = true
    cluster.fault = { _, request in
      guard case .write = request.body, isFirst else { return nil }
      isFirst = false
      return .loseAnswer
    }
    cluster.forwards = true
    let version = try cluster.client().put(key, [1])
    #expect(cluster.applied.map(\.version) == [version])
  }

  @Test("a given request id is used as it is, and repeating it gives the same version")
  func givenID() throws {
    var random = SplitMix64(seed: 3)
    let id = RequestID(session: SessionID(milliseconds: 5, using: &random), sequence: 9)
    let first = try cluster.client().put(key, [1], requestID: id)
    let again = try cluster.client().put(key, [1], requestID: id)
    #expect(first == again && cluster.applied.map(\.id) == [id])
  }

  @Test("when nobody answers in time a write is unknown, with the id to repeat; a read is unavailable")
  func frozen() throws {
    cluster.fault = { _, _ in .ignore }
    let client = cluster.client(timeout: 3000)
    let begin = cluster.world.now
    let error = #expect(throws: ClientError.self) { try client.put(key, [1]) }
    guard case .unknownOutcome(let words, let id) = error else {
      Issue.record("expected an unknown outcome, found \(String(describing: error))")
      return
    }
    #expect(words.contains(FakeCluster.address(1)) && words.contains("gave no answer"))
    #expect(cluster.node(1).requests.first?.write.sequence == id.sequence)
    #expect(cluster.world.now - begin <= 3000)
    let readError = #expect(throws: ClientError.self) { try client.get(key) }
    #expect(readError?.exitCode == 69)
  }

  @Test("a frozen leader costs half of the time: then another node is asked")
  func frozenLeader() throws {
    cluster.forwards = true
    cluster.fault = { node, _ in node == 1 ? .ignore : nil }
    let begin = cluster.world.now
    _ = try cluster.client(timeout: 4000).put(key, [1])
    #expect(cluster.world.now - begin < 2100)
  }

  @Test("where no node can be reached a write is certainly not applied, and each address is named")
  func down() {
    let world = cluster.world
    world.nodes = [:]
    let client = cluster.client(timeout: 1000)
    let error = #expect(throws: ClientError.self) { try client.put(key, [1]) }
    #expect(error?.exitCode == 69)
    for node in 1...3 as ClosedRange<UInt32> {
      #expect(error?.description.contains("\(FakeCluster.address(node)): refuses connections") == true)
    }
    #expect(world.now - 1000 <= 1000)
  }

  @Test("one dead node is passed over without a rest")
  func oneDead() throws {
    cluster.world.nodes[FakeCluster.address(1)] = nil
    cluster.forwards = true
    _ = try cluster.client().put(key, [1])
    #expect(cluster.world.now - 1000 < 10)
  }

  @Test("an address that swallows packets costs a quarter of the time at most")
  func blackHole() throws {
    cluster.node(1).isBlackHole = true
    cluster.forwards = true
    _ = try cluster.client(timeout: 8000).put(key, [1])
    #expect(cluster.world.now - 1000 < 2100)
  }

  @Test("an election is waited for")
  func election() throws {
    let leaders = cluster.leaders
    cluster.leaders = leaders.map { _ in 0 }
    cluster.world.after(800) { cluster.leaders = leaders }
    let version = try cluster.client().put(key, [1])
    #expect(cluster.applied.map(\.version) == [version])
    #expect(cluster.world.now < 1000 + 800 + 400)
  }

  @Test("an election that lasts too long: certainly not applied")
  func longElection() {
    cluster.leaders = cluster.leaders.map { _ in 0 }
    let error = #expect(throws: ClientError.self) { try cluster.client(timeout: 500).put(key, [1]) }
    #expect(error?.exitCode == 69)
  }

  @Test("a cluster of strangers is said to be one at once; so is one that refuses us")
  func strangers() {
    for node in 1...3 as ClosedRange<UInt32> {
      cluster.node(node).refusal = ChannelFailure(kind: .notThisCluster, words: "belongs to cluster x")
    }
    let error = #expect(throws: ClientError.self) { try cluster.client().put(key, [1]) }
    #expect(error?.exitCode == 76 && cluster.world.now < 1010)
    cluster.node(2).refusal = ChannelFailure(kind: .refused, words: "our certificate has expired")
    let refused = #expect(throws: ClientError.self) { try cluster.client().get(key) }
    #expect(refused?.exitCode == 77)
  }

  @Test("where all that can be reached refuse us, nodes that are down are not waited for")
  func refusedWhileOneIsDown() throws {
    let words = "our certificate was revoked"
    cluster.node(1).refusal = ChannelFailure(kind: .refused, words: words)
    cluster.node(2).refusal = ChannelFailure(kind: .broken, words: "refuses connections")
    cluster.node(3).handler = { _ in .fail(ChannelFailure(kind: .refused, words: words)) }
    let began = cluster.world.now
    let read = #expect(throws: ClientError.self) { try cluster.client().get(key) }
    #expect(read?.exitCode == 77 && read?.description.contains(words) == true)
    let write = #expect(throws: ClientError.self) { try cluster.client().put(key, [1]) }
    #expect(write?.exitCode == 77 && cluster.world.now < began + 100)
    // What a node may have taken before is not refused.
    let client = cluster.client(timeout: 1000, nodes: [1, 3])
    cluster.node(1).refusal = nil
    cluster.node(1).handler = { _ in .fail(ChannelFailure(kind: .broken, words: "closed")) }
    let open = #expect(throws: ClientError.self) { try client.put(key, [1]) }
    #expect(open?.exitCode == 75)
  }

  @Test("two of three nodes that show another authority's certificate are enough for 76; one of three may be a mistake")
  func foreignWhileOneIsDown() {
    let foreign = ChannelFailure(kind: .notThisCluster, words: "not signed by the CA of this cluster")
    for node in 1...2 as ClosedRange<UInt32> { cluster.node(node).refusal = foreign }
    cluster.node(3).refusal = ChannelFailure(kind: .broken, words: "refuses connections")
    let began = cluster.world.now
    let read = #expect(throws: ClientError.self) { try cluster.client().get(key) }
    #expect(read?.exitCode == 76 && cluster.world.now < began + 100)
    cluster.node(2).refusal = cluster.node(3).refusal
    let one = #expect(throws: ClientError.self) { try cluster.client(timeout: 1000).get(key) }
    #expect(one?.exitCode == 69 && cluster.world.now > began + 300)
  }

  @Test("a refusal that comes with the first read means that nothing was read: certainly not applied")
  func lateRefusal() {
    for node in 1...3 as ClosedRange<UInt32> {
      cluster.node(node).handler = { _ in .fail(ChannelFailure(kind: .refused, words: "our certificate was revoked")) }
    }
    let error = #expect(throws: ClientError.self) { try cluster.client().put(key, [1]) }
    #expect(error?.exitCode == 77)
  }

  @Test("a refusal on a link that has answered before leaves a write open")
  func lateRefusalAfterAnswer() throws {
    let client = cluster.client(timeout: 1000, nodes: [1])
    cluster.leaders = cluster.leaders.map { _ in 1 }
    _ = try client.put(key, [1])
    for node in 1...3 as ClosedRange<UInt32> {
      cluster.node(node).handler = { _ in .fail(ChannelFailure(kind: .refused, words: "our certificate was revoked")) }
    }
    let error = #expect(throws: ClientError.self) { try client.put(key, [1]) }
    #expect(error?.exitCode == 75)
  }

  @Test("a connection that the node has closed meanwhile is replaced before anything is sent on it")
  func idleClosed() throws {
    cluster.forwards = true
    let client = cluster.client()
    _ = try client.put(key, [1])
    cluster.node(1).cutConnections()
    cluster.world.advance(to: cluster.world.now + 100)
    _ = try client.put(key, [2])
    #expect(cluster.node(1).requests.count(where: isWrite) == 2)
    #expect(cluster.world.dials == [FakeCluster.address(1), FakeCluster.address(1)])
  }

  @Test(
    "bytes that are no answer end the connection, and the next node is asked",
    arguments: [[0], [1, 2, 3, 4, 5, 6, 7, 8, 9], [0, 0, 0, 0, 1, 1, 0, 0], [0xff, 0xff, 0xff, 0xff, 2, 1, 0, 0]]
      as [[UInt8]])
  func garbage(_ bytes: [UInt8]) throws {
    cluster.forwards = true
    let handler = cluster.node(1).handler
    cluster.node(1).handler = { request in
      if case .get = request.body { return bytes.count == 1 ? .silence : .raw(bytes) }
      return handler(request)
    }
    #expect(try cluster.client().get(key) == nil)
  }

  @Test("an answer of another kind, or to another request, is not taken for one")
  func wrongAnswer() throws {
    cluster.forwards = true
    cluster.fault = { node, request in
      guard node == 1, case .get = request.body else { return nil }
      return .send(.now(WireNowResponse()))
    }
    #expect(try cluster.client().get(key) == nil)
    cluster.node(1).handler = { request in
      var response = WireResponse()
      response.id = request.id + 1
      response.body = .get(WireGetResponse())
      var bytes: [UInt8] = []
      Frames.append(response.encoded, kind: .response, to: &bytes)
      return .raw(bytes)
    }
    #expect(try cluster.client().get(key) == nil)
  }

  @Test("keys and values over the limits are refused before anything is sent")
  func limits() {
    let client = cluster.client()
    let long = Key(Array(repeating: 1, count: Limits.keyBytes.rawValue + 1))
    #expect(throws: ClientError.self) { try client.get(long) }
    #expect(throws: ClientError.self) { try client.delete(long) }
    let large = [UInt8](repeating: 1, count: Limits.valueBytes.rawValue + 1)
    let error = #expect(throws: ClientError.self) { try client.put(key, large) }
    #expect(error?.exitCode == 65)
    #expect(cluster.world.dials.isEmpty)
  }

  @Test("status reports every member, those that don't answer with a reason")
  func status() throws {
    cluster.world.nodes[FakeCluster.address(2)] = nil
    let reports = try cluster.client().status()
    #expect(reports.map(\.member.id) == [1, 2, 3])
    #expect(reports.map { $0.status?.node } == [1, nil, 3])
    #expect(reports[1].error == "refuses connections" && reports[0].error == nil)
  }

  @Test("a map that doesn't cover the ring, or is another cluster's, is not believed")
  func badMaps() {
    let message = cluster.mapMessage
    #expect(ClusterMap(untrusted: message, cluster: FakeCluster.name) != nil)
    #expect(ClusterMap(untrusted: message, cluster: "other") == nil)
    var gap = message
    gap.partitions.removeLast()
    #expect(ClusterMap(untrusted: gap, cluster: FakeCluster.name) == nil)
    var twice = message
    twice.members.append(twice.members[0])
    #expect(ClusterMap(untrusted: twice, cluster: FakeCluster.name) == nil)
    var address = message
    address.members[0].address = "nowhere"
    #expect(ClusterMap(untrusted: address, cluster: FakeCluster.name) == nil)
    var bits = message
    bits.partitions[0].bits = 65
    #expect(ClusterMap(untrusted: bits, cluster: FakeCluster.name) == nil)
  }
}
