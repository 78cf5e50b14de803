import Bytes
import Testing
import Wire

@testable import Client

@Suite("Records that are written together, by partition")
struct BatchTests {
  private let cluster = FakeCluster(partitions: 4)
  private let records = (0..<40).map { (key: Key("key\($0)"), value: Array("\($0)".utf8)) }

  /// The parts in the order in which they ended.
  private func put(
    _ client: Client, _ records: [(key: Key, value: [UInt8])], condition: WriteCondition = .none
  ) throws(ClientError) -> [BatchPart] {
    var parts: [BatchPart] = []
    try client.put(together: records, condition: condition) { parts.append($0) }
    return parts
  }

  private func version(_ part: BatchPart) -> Version? { try? part.outcome.get() }

  @Test("those of each partition go in one request to its leader, and have one version")
  func parts() throws {
    let parts = try put(cluster.client(), records)
    #expect(parts.count == 4 && parts.flatMap(\.places).sorted() == Array(records.indices))
    for part in parts {
      #expect(Set(part.places.map { cluster.place(of: records[$0].key) }).count == 1)
      #expect(part.places == part.places.sorted())
      for place in part.places {
        let stored = try #require(cluster.store[records[place].key])
        #expect(stored.version == version(part) && stored.value == records[place].value)
      }
    }
    #expect(cluster.applied.count == 4)
    let asked = (1...3).flatMap { cluster.node($0).requests }
    #expect(asked.count { if case .batch = $0.body { true } else { false } } == 4)
  }

  @Test("where partitions were split meanwhile, new parts are made by the new map")
  func split() throws {
    let client = cluster.client()
    _ = try client.map()
    cluster.splitAll()
    let parts = try put(client, records)
    #expect(parts.count == 8 && parts.allSatisfy { version($0) != nil })
    #expect(parts.flatMap(\.places).sorted() == Array(records.indices))
    #expect(cluster.applied.count == 8 && Set(cluster.applied.map(\.id)).count == 8)
  }

  @Test("a false condition is that of one record; its partition's are not written, the others are")
  func condition() throws {
    cluster.seed(records[7].key, [1])
    let present = cluster.store[records[7].key]?.version
    let parts = try put(cluster.client(), records, condition: .ifAbsent)
    let refused = try #require(parts.first { $0.places.contains(7) })
    let place = try #require(refused.places.firstIndex(of: 7))
    guard case .failure(let error) = refused.outcome else {
      Issue.record("written in spite of its condition")
      return
    }
    #expect(error == .conditionOfBatchFalse(write: place + 1, current: present) && error.exitCode == 1)
    #expect(parts.count == 4 && parts.count { version($0) != nil } == 3)
  }

  @Test("an answer that is lost is asked for again under the same id")
  func lostAnswer() throws {
    var lost = 0
    cluster.fault = { _, request in
      guard case .batch? = request.body, lost < 2 else { return nil }
      lost += 1
      return .loseAnswer
    }
    #expect(try put(cluster.client(), records).allSatisfy { version($0) != nil })
    #expect(lost == 2 && cluster.applied.count == 4)
  }

  @Test("where it isn't known what became of one, the rest is not tried")
  func unknown() throws {
    var wasLost = false
    cluster.fault = { _, request in
      guard case .batch? = request.body else { return nil }
      defer { wasLost = true }
      return wasLost ? .say(.spansPartitions) : .loseAnswer
    }
    let parts = try put(cluster.client(), records)
    #expect(parts.count == 2 && parts.flatMap(\.places).sorted() == Array(records.indices))
    guard case .failure(.unknownOutcome) = parts[0].outcome, case .failure(.unavailable(let words)) = parts[1].outcome
    else {
      Issue.record("\(parts)")
      return
    }
    #expect(words.contains("not tried"))
  }

  @Test("more than a partition takes at once is refused before anything is sent")
  func tooMuch() {
    let many = (0..<4 * Limits.atomicWrites + 4).map { (key: Key("key\($0)"), value: [UInt8]()) }
    #expect(throws: ClientError.self) { _ = try put(cluster.client(), many) }
    let large = [UInt8](repeating: 0, count: Limits.atomicBytes.rawValue / 2)
    #expect(throws: ClientError.self) { _ = try put(cluster.client(), records.map { ($0.key, large) }) }
    #expect(cluster.applied.isEmpty)
  }
}
