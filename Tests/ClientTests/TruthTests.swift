import Bytes
import Testing
import Wire

@testable import Client

/// Whatever goes wrong, what a caller is told is so: a version means applied once at that version; an unknown outcome
/// means either; any other error means never applied, not even later.
@Suite struct TruthTests {
  private let cluster = FakeCluster()

  /// In some runs nodes don't record refusals yet.
  private func begin(_ seed: UInt64) {
    cluster.records = seed % 4 != 0
    sabotage(seed)
  }

  private func sabotage(_ seed: UInt64) {
    var random = SplitMix64(seed: seed)
    cluster.fault = { _, _ in
      guard Int.random(in: 0..<3, using: &random) == 0 else { return nil }
      if Int.random(in: 0..<4, using: &random) == 0 {
        let place = Int.random(in: 0..<self.cluster.leaders.count, using: &random)
        self.cluster.leaders[place] = UInt32.random(in: 0...3, using: &random)
      }
      switch Int.random(in: 0..<10, using: &random) {
      case 0: return .lose
      case 1: return .loseAnswer
      case 2: return .doLater(.random(in: 1...3000, using: &random))
      case 3: return .ignore
      case 4: return .slow(.random(in: 1...3000, using: &random))
      case 5: return .say(.unavailable)
      case 6: return .say(.unknownOutcome)
      case 7: return .say(.notLeader)
      case 8: return .say(.diskFull)
      default: return nil
      }
    }
  }

  private func judge(_ id: RequestID, _ result: Result<Version?, ClientError>, _ seed: UInt64) {
    let applied = cluster.applied.filter { $0.id == id }.map(\.version)
    #expect(applied.count <= 1, "seed \(seed): applied twice")
    switch result {
    case .success(let version): #expect(applied == (version.map { [$0] } ?? []), "seed \(seed)")
    case .failure(.unknownOutcome(_, let told)), .failure(.unsettled(_, let told)): #expect(told == id, "seed \(seed)")
    case .failure(let error): #expect(applied.isEmpty, "seed \(seed): \(error)")
    }
  }

  @Test("of single writes", arguments: 0..<80 as Range<UInt64>)
  func singles(seed: UInt64) {
    begin(seed)
    var random = SplitMix64(seed: ~seed)
    let client = cluster.client(timeout: 2000)
    let session = SessionID(milliseconds: 1, using: &random)
    var results: [(RequestID, Result<Version?, ClientError>)] = []
    for sequence in 1...12 as ClosedRange<UInt64> {
      let id = RequestID(session: session, sequence: sequence)
      let key = Key(["a", "b", "c"].randomElement(using: &random) ?? "a")
      do throws(ClientError) {
        switch Int.random(in: 0..<4, using: &random) {
        case 0: results.append((id, .success(try client.delete(key, requestID: id))))
        case 1: results.append((id, .success(try client.put(key, [1], condition: .ifAbsent, requestID: id))))
        case 2:
          let version = cluster.store[key]?.version ?? .max
          results.append((id, .success(try client.put(key, [2], condition: .ifVersion(version), requestID: id))))
        default: results.append((id, .success(try client.put(key, [3], requestID: id))))
        }
      } catch {
        results.append((id, .failure(error)))
      }
    }
    cluster.world.drain()
    for (id, result) in results { judge(id, result, seed) }
  }

  @Test("of a write whose answer was lost, and that is then refused: for good, whatever comes later of it")
  func refusedForGood() throws {
    cluster.seed(Key("a"), [1])
    cluster.fault = { [cluster] _, request in
      guard case .write(let write) = request.body else { return nil }
      return write.settle ? nil : .doLater(cluster.world.latency + 500)
    }
    let client = cluster.client()
    let present = cluster.store[Key("a")]?.version
    #expect {
      try client.put(Key("a"), [2], condition: .ifAbsent)
    } throws: { error in
      if case ClientError.conditionFalse(let current) = error { current == present } else { false }
    }
    #expect(cluster.refusals.count == 1)
    cluster.store[Key("a")] = nil
    cluster.world.drain()
    #expect(cluster.store[Key("a")] == nil && cluster.applied.isEmpty)
    #expect(try client.delete(Key("b")) == nil)
    cluster.seed(Key("b"), [3])
    cluster.world.drain()
    #expect(cluster.store[Key("b")]?.value == [3])
  }

  @Test("of pipelined writes", arguments: 0..<25 as Range<UInt64>)
  func pipelined(seed: UInt64) {
    begin(seed)
    var random = SplitMix64(seed: ~seed)
    var outcomes: [Int: Result<Version, ClientError>] = [:]
    let client = cluster.client(timeout: 2000)
    let writer = client.writer(window: 16) { outcomes[$0] = $1 }
    for number in 0..<120 {
      let isDeletion = Int.random(in: 0..<4, using: &random) == 0
      let condition = Bool.random(using: &random) ? WriteCondition.none : .ifAbsent
      writer.add(
        Key("k\(number % 40)"), isDeletion ? [] : Array("\(number)".utf8), tombstone: isDeletion,
        condition: isDeletion ? .none : condition)
    }
    writer.finish()
    cluster.world.drain()
    #expect(outcomes.count == 120, "seed \(seed)")
    // The requests say which id each write had.
    var ids: [String: RequestID] = [:]
    for node in 1...3 as ClosedRange<UInt32> {
      for case .write(let write)? in cluster.node(node).requests.map(\.body) where !write.tombstone {
        guard let session = SessionID(write.session.array) else { continue }
        ids[String(decoding: write.value, as: UTF8.self)] = RequestID(session: session, sequence: write.sequence)
      }
    }
    for (value, id) in ids {
      guard let index = Int(value), let outcome = outcomes[index] else { continue }
      judge(id, outcome.map { $0 }, seed)
    }
  }
}
