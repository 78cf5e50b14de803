import Bytes
import FoundationEssentials
import Testing
import Wire

@testable import Client

@Suite struct RangeTests {
  private let cluster = FakeCluster()

  private func seed(_ count: Int) -> [Key] {
    let keys = (0..<count).map { Key("key\(String($0 + 1000))") }
    for key in keys { cluster.seed(key, Array(key.bytes.reversed())) }
    return keys
  }

  private func read(_ stream: RangeStream) throws(ClientError) -> [Key] {
    var keys: [Key] = []
    while let record = try stream.next() { keys.append(record.key) }
    return keys
  }

  private func rangeRequests(_ node: UInt32) -> [WireRangeRequest] {
    cluster.node(node).requests.compactMap { request in
      if case .range(let range) = request.body { range } else { nil }
    }
  }

  @Test("everything comes once, in key order, with its value, at the version of the beginning")
  func all() throws {
    let keys = seed(300)
    let stream = try cluster.client().range(RangeQuery())
    let begun = stream.version
    cluster.seed(Key("key1500x"), [1])
    var got: [Key] = []
    while let record = try stream.next() {
      got.append(record.key)
      #expect(record.value == Array(record.key.bytes.reversed()) && record.version <= begun)
    }
    #expect(got == keys)
    #expect(try stream.next() == nil)
  }

  @Test("bounds, direction, limit and keys alone are as asked", arguments: [false, true], [nil, 0, 1, 7, 50, 1000])
  func queries(reverse: Bool, limit: Int?) throws {
    let keys = seed(200)
    let query = RangeQuery(
      min: keys[20], max: keys[180], limit: limit, reverse: reverse, keysOnly: limit == 7)
    var expected = Array(keys[20..<180])
    if reverse { expected.reverse() }
    #expect(try read(cluster.client().range(query)) == Array(expected.prefix(limit ?? .max)))
  }

  @Test("an empty range, and bounds the wrong way round, give nothing")
  func empty() throws {
    let keys = seed(10)
    let client = cluster.client()
    #expect(try read(client.range(RangeQuery(min: Key("zzz")))) == [])
    #expect(try read(client.range(RangeQuery(min: keys[5], max: keys[5]))) == [])
    #expect(try read(client.range(RangeQuery(min: keys[6], max: keys[5]))) == [])
    #expect(try read(client.range(RangeQuery(max: Key([])))) == [])
    #expect(throws: ClientError.self) { try client.range(RangeQuery(limit: -1)) }
  }

  @Test("each node gets one request for all its partitions, and the next one while the first part is used")
  func prefetch() throws {
    _ = seed(300)
    let stream = try cluster.client().range(RangeQuery())
    _ = try stream.next()
    for node in 1...3 as ClosedRange<UInt32> {
      #expect(rangeRequests(node).count == 2)
      #expect(Set(rangeRequests(node)[0].groups).count == cluster.leaders.count { $0 == node })
    }
  }

  @Test("a small limit asks each node for its share and a margin, and no more than once")
  func limitShare() throws {
    _ = seed(300)
    cluster.chunk = 1000
    #expect(try read(cluster.client().range(RangeQuery(limit: 30))).count == 30)
    for node in 1...3 as ClosedRange<UInt32> {
      #expect(rangeRequests(node).count == 1)
      #expect((10...30).contains(rangeRequests(node)[0].limit))
    }
  }

  @Test("a leader change in the middle leaves no gap and no double", arguments: [false, true], [nil, 150])
  func leaderChange(reverse: Bool, limit: Int?) throws {
    let keys = seed(300)
    let stream = try cluster.client().range(RangeQuery(limit: limit, reverse: reverse))
    var got: [Key] = []
    while let record = try stream.next() {
      got.append(record.key)
      if got.count == 40 { cluster.leaders = cluster.leaders.map { $0 % 3 + 1 } }
      if got.count == 80 { cluster.leaders = cluster.leaders.map { $0 == 2 ? 0 : $0 } }
      if got.count == 80 {
        cluster.world.after(300) { self.cluster.leaders = self.cluster.leaders.map { $0 == 0 ? 1 : $0 } }
      }
    }
    let expected = reverse ? keys.reversed() : keys
    #expect(got == Array(expected.prefix(limit ?? .max)))
  }

  @Test("a node that dies in the middle leaves no gap and no double", arguments: [false, true])
  func death(reverse: Bool) throws {
    let keys = seed(300)
    let stream = try cluster.client().range(RangeQuery(reverse: reverse))
    var got: [Key] = []
    while let record = try stream.next() {
      got.append(record.key)
      guard got.count == 100 else { continue }
      cluster.node(2).cutConnections()
      cluster.world.nodes[FakeCluster.address(2)] = nil
      cluster.world.after(700) { self.cluster.leaders = self.cluster.leaders.map { $0 == 2 ? 3 : $0 } }
    }
    #expect(got == (reverse ? keys.reversed() : keys))
  }

  @Test("whatever fails and whoever leads, a range is whole or ends with an error", arguments: 0..<40 as Range<UInt64>)
  func chaos(seed number: UInt64) throws {
    var random = SplitMix64(seed: number)
    let keys = seed(Int.random(in: 0...200, using: &random))
    cluster.chunk = Int.random(in: 1...30, using: &random)
    let reverse = Bool.random(using: &random)
    let limit = Bool.random(using: &random) ? nil : Int.random(in: 0...220, using: &random)
    cluster.fault = { _, _ in
      guard Int.random(in: 0..<8, using: &random) == 0 else { return nil }
      let place = Int.random(in: 0..<self.cluster.leaders.count, using: &random)
      self.cluster.leaders[place] = UInt32.random(in: 1...3, using: &random)
      let faults: [FakeCluster.Fault?] = [
        nil, .lose, .loseAnswer, .say(.unavailable), .say(.notLeader), .slow(700), .ignore,
      ]
      return faults.randomElement(using: &random) ?? nil
    }
    let expected = Array((reverse ? keys.reversed() : keys).prefix(limit ?? .max))
    var got: [Key] = []
    do throws(ClientError) {
      let stream = try cluster.client(timeout: 8000).range(RangeQuery(limit: limit, reverse: reverse))
      while let record = try stream.next() { got.append(record.key) }
      #expect(got == expected, "seed \(number)")
    } catch {
      #expect(error.exitCode == 69, "seed \(number): \(error)")
      #expect(got == Array(expected.prefix(got.count)), "seed \(number)")
    }
  }

  @Test("other calls of the same client may be made while a range is read")
  func interleaved() throws {
    let keys = seed(100)
    let client = cluster.client()
    let stream = try client.range(RangeQuery())
    var got: [Key] = []
    while let record = try stream.next() {
      got.append(record.key)
      #expect(try client.get(record.key)?.value == record.value)
    }
    #expect(got == keys)
  }

  @Test("records that don't belong there are refused: out of order, out of range, newer, deleted, unreadable, none")
  func hostile() throws {
    let node: UInt32 = 1
    cluster.leaders = cluster.leaders.map { _ in node }
    let version = Version(rawValue: 100)
    func parts(_ records: [Record], more: Bool = false, extra: [UInt8] = []) -> WireResponse.OneOf_Body {
      var writer = ByteWriter()
      for record in records { record.encode(into: &writer) }
      writer.raw(extra)
      var response = WireRangeResponse()
      response.records = Data(writer.bytes)
      response.more = more
      return .range(response)
    }
    func record(_ key: String, _ at: UInt64 = 5) -> Record {
      Record(key: Key(key), version: Version(rawValue: at), value: [])
    }
    let answers = [
      parts([record("c"), record("b")]), parts([record("b"), record("b")]), parts([record("z")]),
      parts([record("a")]), parts([record("c", 101)]), parts([.tombstone(Key("c"), version)]),
      parts([record("c")], extra: [1, 2]), parts([], more: true), .now(WireNowResponse()),
    ]
    for answer in answers {
      cluster.fault = { _, request in
        if case .range = request.body { .send(answer) } else { nil }
      }
      let stream = try cluster.client(timeout: 200).range(RangeQuery(min: Key("b"), max: Key("y"), at: version))
      let error = #expect(throws: ClientError.self) { try stream.next() }
      #expect(error?.exitCode == 69 && error?.description.contains("sent") == true)
    }
  }

  @Test("two nodes that send the same key are a bug, and said to be one")
  func double() throws {
    cluster.fault = { _, request in
      guard case .range = request.body else { return nil }
      var writer = ByteWriter()
      Record(key: Key("k"), version: Version(rawValue: 1), value: []).encode(into: &writer)
      var response = WireRangeResponse()
      response.records = Data(writer.bytes)
      return .send(.range(response))
    }
    let stream = try cluster.client().range(RangeQuery())
    _ = try stream.next()
    let error = #expect(throws: ClientError.self) { try stream.next() }
    #expect(error?.exitCode == 70)
    #expect(throws: ClientError.self) { try stream.next() }
  }

  @Test("a version that left retention in the middle ends the range with that error")
  func notRetained() throws {
    _ = seed(100)
    let stream = try cluster.client().range(RangeQuery())
    for _ in 0..<10 { _ = try stream.next() }
    cluster.fault = { _, _ in .say(.notRetained) }
    #expect(throws: ClientError.notRetained(floor: Version(rawValue: 55))) {
      while try stream.next() != nil {}
    }
  }
}
