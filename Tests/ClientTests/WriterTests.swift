import Bytes
import Testing
import Wire

@testable import Client

@Suite struct WriterTests {
  private let cluster = FakeCluster()

  final class Outcomes {
    var byIndex: [Int: Result<Version, ClientError>] = [:]
    func take(_ index: Int, _ result: Result<Version, ClientError>) {
      #expect(byIndex.updateValue(result, forKey: index) == nil, "two outcomes of write \(index)")
    }
    func version(_ index: Int) -> Version? { try? byIndex[index]?.get() }
    func code(_ index: Int) -> Int32? {
      if case .failure(let error) = byIndex[index] { error.exitCode } else { nil }
    }
  }

  private func isWrite(_ request: WireRequest) -> Bool {
    if case .write = request.body { true } else { false }
  }

  @Test("every write is applied and has its version")
  func all() {
    let outcomes = Outcomes()
    let writer = cluster.client().writer(outcome: outcomes.take)
    for number in 0..<1000 { #expect(writer.add(Key("k\(number)"), [UInt8(truncatingIfNeeded: number)]) == number) }
    writer.finish()
    #expect(outcomes.byIndex.count == 1000)
    for number in 0..<1000 {
      let record = cluster.store[Key("k\(number)")]
      #expect(record != nil && record?.version == outcomes.version(number))
      #expect(record?.value == [UInt8(truncatingIfNeeded: number)])
    }
  }

  @Test("in the end the nodes are told of which writes the client has heard: never of one whose outcome is unknown")
  func acknowledgement() throws {
    cluster.fault = { _, request in
      if case .write(let write) = request.body, write.key.array == Array("k70".utf8) { .loseAnswer } else { nil }
    }
    let client = cluster.client()
    let outcomes = Outcomes()
    let writer = client.writer(window: 32, outcome: outcomes.take)
    for number in 0..<60 { writer.add(Key("k\(number)"), []) }
    writer.finish()
    client.acknowledge()
    #expect(cluster.acknowledged.map(\.node) == [1, 2, 3])
    let session = try #require(cluster.applied.first?.id.session)
    #expect(cluster.acknowledged.allSatisfy { $0.session == session && $0.through == 60 })
    for number in 60..<80 { writer.add(Key("k\(number)"), []) }
    writer.finish()
    #expect(outcomes.code(70) == 75)
    client.acknowledge()
    #expect(cluster.acknowledged.dropFirst(3).allSatisfy { $0.session == session && $0.through == 70 })
    #expect(client.session.heard?.through == 70)
  }

  @Test("a window of writes is under way at once, and all leaders have work")
  func window() {
    cluster.world.latency = 10
    let writer = cluster.client().writer(window: 64) { _, _ in }
    for number in 0..<640 { writer.add(Key("k\(number)"), []) }
    writer.finish()
    // One after the other would take 640 round trips of 10 ms each.
    #expect(cluster.world.now - 1000 < 640 * 10 / 20)
    for node in 1...3 as ClosedRange<UInt32> { #expect(cluster.node(node).requests.count(where: isWrite) > 100) }
  }

  @Test("of two writes of one key the later one lasts, whatever fails", arguments: 0..<20 as Range<UInt64>)
  func order(seed: UInt64) {
    var random = SplitMix64(seed: seed)
    cluster.fault = { _, request in
      guard self.isWrite(request), Int.random(in: 0..<4, using: &random) == 0 else { return nil }
      return Bool.random(using: &random) ? .say(.unavailable) : .loseAnswer
    }
    let outcomes = Outcomes()
    let writer = cluster.client().writer(window: 32, outcome: outcomes.take)
    for round in 0..<10 as Range<UInt8> {
      for key in ["a", "b", "c"] { writer.add(Key(key), [round]) }
    }
    writer.finish()
    for key in ["a", "b", "c"] { #expect(cluster.store[Key(key)]?.value == [9], "seed \(seed)") }
  }

  @Test("tombstones delete; one that finds nothing has version 0")
  func tombstones() {
    let outcomes = Outcomes()
    let writer = cluster.client().writer(outcome: outcomes.take)
    writer.add(Key("a"), [1])
    writer.add(Key("a"), [], tombstone: true)
    writer.add(Key("b"), [], tombstone: true)
    writer.finish()
    #expect(outcomes.version(1).map { $0 > .zero } == true && outcomes.version(2) == .zero)
    #expect(cluster.store.isEmpty)
  }

  @Test("each write fails for itself: the others are done")
  func failures() {
    cluster.seed(Key("taken"), [])
    cluster.fault = { _, request in
      guard case .write(let write) = request.body else { return nil }
      switch Key(write.key.array) {
      case Key("full"): return .say(.diskFull)
      case Key("refused"): return .say(.refused)
      case Key("lost"): return .say(.unknownOutcome)
      case Key("away"): return .say(.unavailable)
      default: return nil
      }
    }
    let outcomes = Outcomes()
    let writer = cluster.client(timeout: 1000).writer(outcome: outcomes.take)
    for key in ["a", "full", "refused", "lost", "away", "b"] { writer.add(Key(key), [1]) }
    writer.add(Key("taken"), [1], condition: .ifAbsent)
    writer.add(Key([UInt8](repeating: 1, count: Limits.keyBytes.rawValue + 1)), [])
    writer.add(Key("c"), [1])
    writer.finish()
    #expect((0..<9).map { outcomes.code($0) } == [nil, 74, 77, 75, 69, nil, 1, 65, nil])
    for key in ["a", "b", "c"] { #expect(cluster.store[Key(key)] != nil) }
  }

  @Test("a node that dies under a load: every write is repeated elsewhere and applied once")
  func death() {
    let outcomes = Outcomes()
    let writer = cluster.client().writer(window: 100, outcome: outcomes.take)
    for number in 0..<500 {
      writer.add(Key("k\(number)"), [])
      guard number == 250 else { continue }
      cluster.node(2).cutConnections()
      cluster.world.nodes[FakeCluster.address(2)] = nil
      cluster.world.after(900) { self.cluster.leaders = self.cluster.leaders.map { $0 == 2 ? 1 : $0 } }
    }
    writer.finish()
    for number in 0..<500 { #expect(cluster.store[Key("k\(number)")]?.version == outcomes.version(number)) }
    #expect(cluster.applied.count == 500)
  }

  @Test("a node that is slow but answers keeps its link; a silent one loses it")
  func slowAndSilent() {
    cluster.leaders = cluster.leaders.map { _ in 1 }
    var count = 0
    cluster.fault = { _, request in
      guard self.isWrite(request) else { return nil }
      count += 1
      return .slow(UInt64(count) * 400)
    }
    let outcomes = Outcomes()
    let writer = cluster.client(timeout: 8000).writer(outcome: outcomes.take)
    for number in 0..<15 { writer.add(Key("k\(number)"), []) }
    writer.finish()
    #expect((0..<15).allSatisfy { outcomes.version($0) != nil })
    #expect(cluster.world.dials.count { $0 == FakeCluster.address(1) } == 1)
  }

  @Test("flush sends what was gathered and takes what is there, without waiting")
  func flush() {
    let outcomes = Outcomes()
    let writer = cluster.client().writer(outcome: outcomes.take)
    for number in 0..<10 { writer.add(Key("k\(number)"), []) }
    writer.flush()
    #expect(cluster.applied.count == 10)
    cluster.world.advance(to: cluster.world.now + 5)
    writer.flush()
    #expect(outcomes.byIndex.count == 10)
    writer.finish()
  }

  @Test("with no cluster at all every write ends as certainly not applied, in time")
  func down() {
    cluster.world.nodes = [:]
    let outcomes = Outcomes()
    let writer = cluster.client(timeout: 1000).writer(window: 10, outcome: outcomes.take)
    for number in 0..<20 { writer.add(Key("k\(number)"), []) }
    writer.finish()
    #expect((0..<20).allSatisfy { outcomes.code($0) == 69 })
    // Half of the time for a map, then two windows of writes and their connections.
    #expect(cluster.world.now - 1000 <= 3000)
  }
}
