import Bytes
import Client
import Testing

/// The judge is judged: each kind of fault that the kill test looks for is found where it is, and nowhere else.
@Suite("Histories of writes")
struct WriteHistoryTests {
  private static let good = [
    write("a", "1", 10...20, .acknowledged(Version(rawValue: 5))),
    // Under way at the same time as the first: either may have the lower version.
    write("b", "2", 15...30, .acknowledged(Version(rawValue: 4))),
    write("a", "3", 31...40, .acknowledged(Version(rawValue: 6))),
    write("c", "4", 31...50, .refused("no leader")),
  ]

  @Test("A history without faults has none")
  func good() {
    let history = WriteHistory(attempts: Self.good)
    #expect(history.repeatedVersions() == [] && history.misorderedVersions() == [])
    #expect(history.faults(inFinal: [Self.record("a", "3", 6), Self.record("b", "2", 4)]) == [])
  }

  @Test("A version that two writes have is found")
  func repeated() {
    let history = WriteHistory(
      attempts: Self.good + [Self.write("d", "5", 60...61, .acknowledged(Version(rawValue: 4)))])
    #expect(history.repeatedVersions().count == 1)
  }

  @Test("A version below that of a write acknowledged before is found")
  func misordered() {
    let late = Self.write("d", "5", 21...61, .acknowledged(Version(rawValue: 3)))
    #expect(WriteHistory(attempts: Self.good + [late]).misorderedVersions().count == 1)
  }

  @Test("Lost, older, foreign and refused values are found, and those of another version")
  func finals() {
    let history = WriteHistory(attempts: Self.good)
    let b = Self.record("b", "2", 4)
    #expect(history.faults(inFinal: [b]).count == 2, "both writes of a are lost")
    #expect(history.faults(inFinal: [b, Self.record("a", "1", 5)]).count == 1, "the newer of a is lost")
    #expect(history.faults(inFinal: [b, Self.record("a", "9", 6)]).count == 1, "nobody wrote 9")
    #expect(history.faults(inFinal: [b, Self.record("a", "3", 7)]).count == 1, "it was given version 6")
    let refused = [b, Self.record("a", "3", 6), Self.record("c", "4", 8)]
    #expect(history.faults(inFinal: refused).count == 1, "c was refused")
    #expect(history.faults(inFinal: [b, b, Self.record("a", "3", 6)]).count == 1, "a key twice")
  }

  @Test("A write of unknown outcome may be there or not")
  func unknown() throws {
    let id = try #require(RequestID(parsing: "0192f3a4-0000-7000-8000-000000000000/7"))
    let history = WriteHistory(attempts: [Self.write("a", "1", 10...20, .unknown(id))])
    #expect(history.faults(inFinal: []) == [])
    #expect(history.faults(inFinal: [Self.record("a", "1", 77)]) == [])
    #expect(history.faults(inFinal: [Self.record("a", "2", 77)]).count == 1)
  }

  @Test("The longest pause counts the ends too")
  func pauses() {
    let seconds = { (numbers: [UInt64]) in numbers.map { $0 * 1_000_000_000 } }
    #expect(WriteHistory.longestPause(seconds([12, 11, 15]), from: 10_000_000_000, to: 16_000_000_000) == 3000)
    #expect(WriteHistory.longestPause(seconds([11]), from: 10_000_000_000, to: 16_000_000_000) == 5000)
    #expect(WriteHistory.longestPause(seconds([9, 17]), from: 10_000_000_000, to: 16_000_000_000) == 6000)
  }

  private static func write(
    _ key: String, _ value: String, _ time: ClosedRange<UInt64>, _ outcome: WriteAttempt.Outcome
  ) -> WriteAttempt {
    WriteAttempt(
      key: Key(key), value: Array(value.utf8), isOnly: false, sent: time.lowerBound, answered: time.upperBound,
      outcome: outcome)
  }

  private static func record(_ key: String, _ value: String, _ version: UInt64) -> Record {
    Record(key: Key(key), version: Version(rawValue: version), value: Array(value.utf8))
  }
}
