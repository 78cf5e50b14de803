import Bytes
import Client
import Glibc
import Testing

@testable import Commands

@Suite("Exit codes")
struct ExitCodeTests {
  @Test("Every error of the client ends with a code of the contract")
  func client() throws {
    let id = try #require(RequestID(parsing: "0192f3a4-0000-7000-8000-000000000000/7"))
    let table: [(ClientError, ExitCode)] = [
      (.conditionFalse(current: nil), .absent), (.notRetained(floor: .zero), .notRetained),
      (.invalid("x"), .malformedData), (.refused("x"), .refused), (.notThisCluster("x"), .wrongPeer),
      (.unavailable("x"), .unavailable), (.unknownOutcome("x", id), .unknownOutcome), (.damaged("x"), .damage),
      (.diskFull("x"), .inputOutput), (.internal("x"), .softwareError),
    ]
    for (error, code) in table { #expect(CommandError.client(error).exitCode == code) }
    #expect(CommandError.client(.unknownOutcome("x", id)).message?.contains("--request-id \(id)") == true)
  }

  @Test("Every error of the cluster file ends with a code of the contract")
  func clusterFile() {
    #expect(CommandError.clusterFile(.missing(path: "x", origin: "y")).exitCode == .missingFile)
    #expect(
      CommandError.clusterFile(.malformed(path: "x", line: 1, expected: "a", found: "b")).exitCode == .configuration)
  }

  @Test("The codes are those of the contract")
  func codes() {
    #expect(ExitCode.allCases.map(\.rawValue) == [0, 1, 2, 3, 64, 65, 66, 69, 70, 74, 75, 76, 77, 78])
  }

  @Test("A record of which one attempt is open and another was refused doesn't end a load")
  func unsettled() throws {
    let id = try #require(RequestID(parsing: "0192f3a4-0000-7000-8000-000000000000/7"))
    let tally = LoadTally(.delete, json: false, unit: "line")
    tally.add(1, Key("k"))
    tally.note(0, .failure(.unsettled("open", id)))
    #expect(tally.worst == .unknownOutcome && !tally.isStopped && tally.failed == 1)
  }

  @Test("A load's code is that of its first failure, but an unknown outcome goes before all")
  func load() throws {
    let id = try #require(RequestID(parsing: "0192f3a4-0000-7000-8000-000000000000/7"))
    let tally = LoadTally(.put(.none), json: true, unit: "line")
    for number in 1...4 { tally.add(number + 1, Key("k\(number)")) }
    tally.note(1, .success(Version(rawValue: 9)))
    #expect(tally.worst == .done)
    tally.note(0, .failure(.conditionFalse(current: nil)))
    #expect(tally.worst == .absent && !tally.isStopped)
    tally.refuse(1, "no tab")
    #expect(tally.worst == .absent)
    tally.note(2, .failure(.unknownOutcome("lost", id)))
    #expect(tally.worst == .unknownOutcome && tally.isStopped)
    tally.note(3, .failure(.unavailable("gone")))
    #expect(tally.worst == .unknownOutcome)
    #expect(tally.written == 1 && tally.failed == 4)
    let lines = String(decoding: tally.takeOutput(), as: UTF8.self).split(separator: "\n")
    #expect(lines.first == #"{"record":3,"key":"k2","version":"9"}"#)
    #expect(lines.count == 5)
    #expect(tally.ends == ["line 5 as well: not written"])
  }

  @Test("What stops a load is said once, and then of which others it holds, by what became of them")
  func stopped() throws {
    let id = try #require(RequestID(parsing: "0192f3a4-0000-7000-8000-000000000000/7"))
    let tally = LoadTally(.put(.none), json: false, unit: "record")
    for number in 0..<10 { tally.add(number + 1, Key("k\(number)")) }
    tally.note(3, .failure(.unavailable("gone")))
    #expect(tally.isStopped && tally.ends.isEmpty)
    for index in [9, 0, 1, 2, 6] { tally.note(index, .failure(.unavailable("gone"))) }
    for index in [8, 7] { tally.note(index, .failure(.unknownOutcome("lost", id))) }
    tally.note(4, .failure(.conditionFalse(current: nil)))
    #expect(tally.failed == 9 && tally.worst == .unknownOutcome)
    #expect(tally.ends == ["records 8 to 9 as well: perhaps written", "records 1 to 3, 7, 10 as well: not written"])
  }
}
