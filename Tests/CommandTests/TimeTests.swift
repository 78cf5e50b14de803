import Bytes
import Testing

@testable import Commands

@Suite("Times")
struct TimeTests {
  private static let now: UInt64 = 1_800_000_000_000

  @Test(
    "A time of --at is a version, RFC 3339, an age, or seconds since 1970",
    arguments: [
      ("1", Version(rawValue: 1)),
      ("18446744073709551615", .max),
      ("@0", Version(lastOfMillisecond: 0)),
      ("@1700000000", Version(lastOfMillisecond: 1_700_000_000_000)),
      ("@1700000000.5", Version(lastOfMillisecond: 1_700_000_000_500)),
      ("@1700000000.12345", Version(lastOfMillisecond: 1_700_000_000_123)),
      ("-5m", Version(lastOfMillisecond: now - 300_000)),
      ("-1h30m", Version(lastOfMillisecond: now - 5_400_000)),
      ("-0s", Version(lastOfMillisecond: now)),
      ("1970-01-01T00:00:00Z", Version(lastOfMillisecond: 0)),
      ("2000-02-29T12:00:00Z", Version(lastOfMillisecond: 951_825_600_000)),
      ("2026-11-22T17:00:00+01:00", Version(lastOfMillisecond: 1_795_363_200_000)),
      ("2026-11-22t16:00:00.0019z", Version(lastOfMillisecond: 1_795_363_200_001)),
      ("2026-11-22 11:30:00-04:30", Version(lastOfMillisecond: 1_795_363_200_000)),
    ])
  func times(text: String, version: Version) throws {
    #expect(try TimeArgument(parsing: text).version(nowMilliseconds: Self.now) == version)
  }

  @Test(
    "What isn't a time is refused",
    arguments: [
      "", "0", "yesterday", "-", "-5", "5m", "@", "@-1", "@1.", "@1.x", "@18446744073709551615", "2026-11-22",
      "2026-11-22T17:00:00", "2026-13-01T00:00:00Z", "2026-02-29T00:00:00Z", "2026-11-22T24:00:00Z",
      "2026-11-22T17:00:00+1:00", "2026-11-22T17:00:00.Z", "1969-12-31T23:59:59Z", "2026-11-22T17:00:00Zx",
      "18446744073709551616", "-99999999d", "snap:backup",
    ])
  func noTimes(text: String) {
    #expect(throws: CommandError.self) {
      try TimeArgument(parsing: text).version(nowMilliseconds: Self.now)
    }
  }

  @Test("A named snapshot is refused by its name")
  func snapshot() {
    #expect {
      try TimeArgument(parsing: "snap:backup").version(nowMilliseconds: Self.now)
    } throws: { error in
      (error as? CommandError)?.message?.contains("backup") == true
    }
  }

  @Test("A written time reads back as the same millisecond, over four centuries")
  func roundTrip() {
    var random = SplitMix64(seed: 3)
    for _ in 0..<5000 {
      let milliseconds = random.next() % (400 * 366 * 86_400_000)
      let text = CivilTime.text(milliseconds: milliseconds)
      if CivilTime.milliseconds(parsing: text) != milliseconds {
        Issue.record("\(milliseconds) became \(text)")
        return
      }
    }
  }

  @Test("Days follow one another without a gap")
  func days() {
    for day in stride(from: 0, to: 200_000, by: 1) {
      let date = CivilTime.date(days: day)
      if CivilTime.days(year: date.year, month: date.month, day: date.day) != day {
        Issue.record("day \(day) became \(date)")
        return
      }
    }
  }
}
