import Bytes
import Testing

@testable import Simulation

/// The checks must find what is wrong: histories that were made up.
@Suite struct CheckTests {
  private typealias Step = Linearizability<Int>.Step

  private func write(_ value: Int, _ begin: UInt64, _ end: UInt64) -> Step {
    Step(begin: begin, end: end) { _ in value }
  }

  private func read(_ value: Int, _ begin: UInt64, _ end: UInt64) -> Step {
    Step(begin: begin, end: end) { $0 == value ? $0 : nil }
  }

  @Test("operations one after the other, and reads that overlap a write, are linearizable")
  func possible() {
    #expect(Linearizability.check([], from: 0) == .linearizable)
    #expect(Linearizability.check([write(1, 0, 1), read(1, 2, 3)], from: 0) == .linearizable)
    #expect(Linearizability.check([write(1, 0, 10), read(0, 1, 2), read(1, 3, 4)], from: 0) == .linearizable)
    // A write whose end nobody saw may happen late, or after everything that was seen.
    #expect(Linearizability.check([write(1, 0, .max), read(0, 5, 6), read(1, 7, 8)], from: 0) == .linearizable)
    #expect(Linearizability.check([write(1, 0, .max), read(0, 5, 6)], from: 0) == .linearizable)
  }

  @Test("a stale read, a lost write, and a value that goes back are not")
  func impossible() {
    #expect(Linearizability.check([write(1, 0, 1), read(0, 2, 3)], from: 0) == .impossible(stuckAt: [1]))
    let back = [write(1, 0, 10), read(1, 1, 2), read(0, 3, 4)]
    #expect(Linearizability.check(back, from: 0) != .linearizable)
    let lost = [write(1, 0, 1), write(2, 2, 3), read(1, 4, 5)]
    #expect(Linearizability.check(lost, from: 0) != .linearizable)
  }

  @Test("a random history of a real register is linearizable; with one read changed it is not")
  func random() {
    for seed in 1...50 as ClosedRange<UInt64> {
      var random = SplitMix64(seed: seed)
      var steps: [Step] = []
      var value = 0
      var time: UInt64 = 0
      for number in 1...40 {
        // Each takes effect at `time`, and begins and ends somewhat before and after.
        time += UInt64.random(in: 1...5, using: &random)
        let (begin, end) = (
          time - min(time, .random(in: 0...6, using: &random)), time + .random(in: 0...6, using: &random)
        )
        if Bool.random(using: &random) {
          value = number
          steps.append(write(value, begin, end))
        } else {
          steps.append(read(value, begin, end))
        }
      }
      #expect(Linearizability.check(steps, from: 0) == .linearizable, "seed \(seed)")
      #expect(Linearizability.check(steps + [read(1_000, 0, time)], from: 0) != .linearizable, "seed \(seed)")
    }
  }

  private let key = Array("k".utf8)

  private func record(_ operations: [Operation], applied: [(version: UInt64, sequence: UInt64)]) -> [String] {
    let record = RunRecord(keys: 1)
    for operation in operations { record.add(operation) }
    for write in applied {
      let id = RunRecord.WriteID(client: 1, sequence: write.sequence)
      record.add(.init(version: Version(rawValue: write.version), value: [UInt8(write.sequence)], id: id), to: key)
    }
    var check = RecordCheck(record)
    check.run()
    return record.failures
  }

  private func put(_ sequence: UInt64, _ outcome: Outcome, _ sent: UInt64, _ answered: UInt64) -> Operation {
    Operation(
      client: 1, key: key, intent: .write(value: [UInt8(sequence)], condition: .none), sequence: sequence, sent: sent,
      answered: answered, outcome: outcome)
  }

  @Test("an acknowledged write that no log has is a lost one")
  func lost() {
    #expect(record([put(1, .done(Version(rawValue: 5)), 0, 1)], applied: [(5, 1)]).isEmpty)
    #expect(record([put(1, .done(Version(rawValue: 5)), 0, 1)], applied: []).count == 1)
  }

  @Test("a write that was certainly not done, and is there, is a fault; one that is unknown may be there or not")
  func certainlyNot() {
    #expect(!record([put(1, .notDone, 0, 1)], applied: [(5, 1)]).isEmpty)
    #expect(record([put(1, .unknown, 0, 1)], applied: [(5, 1)]).isEmpty)
    #expect(record([put(1, .unknown, 0, 1)], applied: []).isEmpty)
  }

  @Test("a request id that was applied twice is a fault, and so is a version that was given out twice")
  func twice() {
    #expect(!record([], applied: [(5, 1), (6, 1)]).isEmpty)
    #expect(!record([], applied: [(5, 1), (5, 2)]).isEmpty)
  }

  @Test("versions that disagree with real time are a fault")
  func order() {
    let first = put(1, .done(Version(rawValue: 9)), 0, 1)
    let second = put(2, .done(Version(rawValue: 5)), 2, 3)
    #expect(!record([first, second], applied: [(5, 2), (9, 1)]).isEmpty)
  }

  @Test("a read at a version that shows another write than the one alive there is a fault")
  func past() {
    func read(_ version: UInt64, _ outcome: Outcome) -> Operation {
      Operation(
        client: 2, key: key, intent: .readAt(Version(rawValue: version)), sequence: 0, sent: 10, answered: 11,
        outcome: outcome)
    }
    let write = put(1, .done(Version(rawValue: 5)), 0, 1)
    #expect(record([write, read(7, .found([1], Version(rawValue: 5)))], applied: [(5, 1)]).isEmpty)
    #expect(record([write, read(4, .absent)], applied: [(5, 1)]).isEmpty)
    #expect(!record([write, read(7, .absent)], applied: [(5, 1)]).isEmpty)
    #expect(!record([write, read(4, .found([1], Version(rawValue: 5)))], applied: [(5, 1)]).isEmpty)
  }
}
