import Testing

@testable import Commands

@Suite("The log")
struct LogTests {
  @Test("A line of text has time, level, words and facts, and no byte can begin another line")
  func text() {
    let log = StandardErrorLog(logLevel: .info, label: "kv", format: .text)
    #expect(
      log.line("2026-11-22T17:00:00.000Z", .warning, "a\nb", [("key", "x y"), ("n", "3")])
        == "2026-11-22T17:00:00.000Z warning kv: a\\nb key=\"x y\" n=3\n")
  }

  @Test("A line of JSON is one object")
  func json() {
    let log = StandardErrorLog(logLevel: .info, label: "kv", format: .json)
    #expect(
      log.line("T", .error, "a\nb", [("key", "\"")])
        == #"{"time":"T","level":"error","label":"kv","message":"a\nb","key":"\""}"# + "\n")
  }
}
