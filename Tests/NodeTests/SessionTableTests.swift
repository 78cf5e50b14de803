import Bytes
import Testing

@testable import Node

@Suite("The outcomes of recent writes by request id")
struct SessionTableTests {
  private static let start: UInt64 = 1_800_000_000_000

  private func version(_ milliseconds: UInt64, _ count: UInt64 = 0) -> Version {
    Version(milliseconds: SessionTableTests.start + milliseconds).advanced(by: count)
  }

  private func id(_ session: UInt64, _ sequence: UInt64) -> RequestID {
    RequestID(session: SessionID(high: session, low: session &* 7), sequence: sequence)
  }

  @Test("a repetition finds the version of the first, another payload under its id is told apart")
  func repetition() {
    var table = SessionTable()
    table.record(id(1, 1), acknowledged: 0, digest: 5, version: version(0))
    #expect(table.lookup(id(1, 1), digest: 5) == .done(.written(version(0))))
    #expect(table.lookup(id(1, 1), digest: 6) == .conflict)
    #expect(table.lookup(id(1, 2), digest: 5) == .new)
    #expect(table.lookup(id(2, 1), digest: 5) == .new)
  }

  @Test("what was refused for good stays so, with what was found")
  func refused() throws {
    var table = SessionTable()
    let refusal = Refusal(write: 3, present: version(5))
    table.record(id(1, 1), acknowledged: 0, digest: 5, version: version(9), refusal: refusal)
    #expect(table.lookup(id(1, 1), digest: 5) == .done(.refused(refusal)))
    #expect(table.lookup(id(1, 1), digest: 6) == .conflict)
    #expect(try SessionTable(decoding: table.encode()) == table)
  }

  @Test("what the client has acknowledged is forgotten, and said to be")
  func acknowledged() {
    var table = SessionTable()
    for sequence in 1...5 as ClosedRange<UInt64> {
      table.record(id(1, sequence), acknowledged: 0, digest: sequence, version: version(0, sequence))
    }
    table.record(id(1, 6), acknowledged: 3, digest: 6, version: version(1))
    #expect((1...3).allSatisfy { table.lookup(id(1, $0), digest: $0) == .forgotten })
    #expect(table.lookup(id(1, 4), digest: 4) == .done(.written(version(0, 4))))
  }

  @Test("no write acknowledges itself, nor a later one")
  func acknowledgesItself() {
    var table = SessionTable()
    table.record(id(1, 4), acknowledged: 9, digest: 1, version: version(0))
    #expect(table.lookup(id(1, 4), digest: 1) == .done(.written(version(0))))
    #expect(table.lookup(id(1, 3), digest: 1) == .forgotten)
    #expect(table.lookup(id(1, 5), digest: 1) == .new)
  }

  @Test("a session is kept for an hour of version time after its last use, and for two minutes more at most")
  func expiry() {
    var table = SessionTable()
    table.record(id(1, 1), acknowledged: 0, digest: 1, version: version(0))
    table.record(id(2, 1), acknowledged: 0, digest: 1, version: version(0, 1))
    table.record(id(2, 2), acknowledged: 0, digest: 2, version: version(1_800_000))
    table.record(id(3, 1), acknowledged: 0, digest: 1, version: version(Limits.requestIDMilliseconds))
    #expect(table.lookup(id(1, 1), digest: 1) == .done(.written(version(0))))
    table.record(id(3, 2), acknowledged: 0, digest: 1, version: version(Limits.requestIDMilliseconds + 120_000))
    #expect(table.lookup(id(1, 1), digest: 1) == .new)
    #expect(table.lookup(id(2, 1), digest: 1) == .done(.written(version(0, 1))))
    #expect(table.count == 2)
  }

  /// What a table must know, as plainly as can be said.
  private struct Model {
    struct Session {
      var acknowledged: UInt64 = 0
      var lastUse: UInt64 = 0
      var outcomes: [UInt64: (digest: UInt64, result: SessionTable.Result)] = [:]
    }
    var sessions: [SessionID: Session] = [:]

    mutating func record(
      _ id: RequestID, acknowledged: UInt64, digest: UInt64, version: Version, refusal: Refusal?
    ) {
      var session = sessions[id.session] ?? Session()
      session.acknowledged = max(session.acknowledged, min(acknowledged, id.sequence - 1))
      session.lastUse = version.milliseconds
      session.outcomes[id.sequence] = (digest, refusal.map { .refused($0) } ?? .written(version))
      session.outcomes = session.outcomes.filter { $0.key > session.acknowledged }
      sessions[id.session] = session
      sessions = sessions.filter {
        ($0.value.lastUse / 60_000 + 1) * 60_000 + Limits.requestIDMilliseconds >= version.milliseconds
      }
    }

    mutating func acknowledge(_ id: SessionID, through sequence: UInt64) {
      guard var session = sessions[id] else { return }
      session.acknowledged = max(session.acknowledged, sequence)
      session.outcomes = session.outcomes.filter { $0.key > session.acknowledged }
      sessions[id] = session
    }

    var outcomeCount: Int { sessions.values.reduce(0) { $0 + $1.outcomes.count } }

    func lookup(_ id: RequestID, digest: UInt64) -> SessionTable.Lookup {
      guard let session = sessions[id.session] else { return .new }
      guard id.sequence > session.acknowledged else { return .forgotten }
      guard let outcome = session.outcomes[id.sequence] else { return .new }
      return outcome.digest == digest ? .done(outcome.result) : .conflict
    }
  }

  @Test("hours of random writes, saved and read back now and then, are those of a plain table", arguments: 1...8)
  func model(seed: Int) throws {
    var random = SplitMix64(seed: UInt64(seed))
    var (table, model) = (SessionTable(), Model())
    var (now, newest) = (UInt64(0), [UInt64: UInt64]())
    for step in 0..<4_000 {
      now += UInt64.random(in: 0...(step % 100 == 0 ? 3_000_000 : 9_000), using: &random)
      let session = UInt64.random(in: 1...40, using: &random)
      let last = newest[session] ?? 0
      // Mostly the next one; also one out of order, which no write had.
      let sequence = Bool.random(using: &random) ? last + 1 : last + UInt64.random(in: 1...4, using: &random)
      newest[session] = sequence
      let acknowledged = UInt64.random(in: 0...sequence, using: &random)
      let version = version(now, UInt64(step % 7))
      let refusal =
        step % 3 == 0 ? Refusal(write: UInt32(step % 4), present: step % 2 == 0 ? .zero : self.version(now)) : nil
      let named = id(session, sequence)
      let digest = sequence % 5
      table.record(named, acknowledged: acknowledged, digest: digest, version: version, refusal: refusal)
      model.record(named, acknowledged: acknowledged, digest: digest, version: version, refusal: refusal)
      let asked = id(UInt64.random(in: 1...41, using: &random), UInt64.random(in: 1...(sequence + 2), using: &random))
      let other = UInt64.random(in: 0...4, using: &random)
      #expect(table.lookup(asked, digest: other) == model.lookup(asked, digest: other), "seed \(seed), step \(step)")
      if step % 5 == 0 {
        let heard = SessionID(high: session, low: session &* 7)
        let through = UInt64.random(in: 0...sequence, using: &random)
        table.acknowledge(heard, through: through)
        model.acknowledge(heard, through: through)
      }
      try #require(table.count == model.sessions.count, "seed \(seed), step \(step)")
      try #require(table.outcomeCount == model.outcomeCount, "seed \(seed), step \(step)")
      if step % 97 == 0 {
        let restored = try SessionTable(decoding: table.encode())
        #expect(restored == table && restored.encode() == table.encode(), "seed \(seed), step \(step)")
        table = restored
      }
    }
  }
}

extension SessionTable {
  fileprivate mutating func record(
    _ id: RequestID, acknowledged: UInt64, digest: UInt64, version: Version, refusal: Refusal? = nil
  ) {
    record(
      PartitionCommand.Identity(id: id, acknowledged: acknowledged, digest: digest), version: version,
      refusal: refusal)
  }
}
