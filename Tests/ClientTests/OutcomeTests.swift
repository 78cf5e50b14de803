import Bytes
import Testing
import Wire

@testable import Client

/// What a write's or a read's attempts come to, one after the other: the whole of promise P6.
@Suite struct OutcomeTests {
  enum Step: Sendable {
    case unsent, foreign, refused, local, lost, done, absent, wrongAnswer, falseForGood, absentForGood
    case says(WireFailure.Code)
  }

  enum End: Equatable, Sendable {
    case done, stillTrying, withoutPeer, unavailable, unknown, unsettled, conditionFalse, invalid, refused,
      notThisCluster, diskFull, damaged, notRetained, future, internalBug, configuration
  }

  struct Row: Sendable, CustomTestStringConvertible {
    let steps: [Step]
    let end: End
    let isWrite: Bool
    var testDescription: String { "\(isWrite ? "write" : "read") \(steps) → \(end)" }

    static func write(_ steps: Step..., end: End) -> Row { Row(steps: steps, end: end, isWrite: true) }
    static func read(_ steps: Step..., end: End) -> Row { Row(steps: steps, end: end, isWrite: false) }
  }

  static let rows: [Row] = [
    // The time is over after these: `stillTrying` turns into the error that the client reports.
    .write(.done, end: .done),
    .write(.absent, end: .done),
    .write(.unsent, end: .unavailable),
    .write(.unsent, .done, end: .done),
    .write(.lost, end: .unknown),
    .write(.lost, .done, end: .done),
    .write(.lost, .unsent, end: .unknown),
    .write(.lost, .unsent, .done, end: .done),
    .write(.says(.notLeader), end: .unavailable),
    .write(.says(.notLeader), .done, end: .done),
    .write(.says(.notLeader), .lost, end: .unknown),
    .write(.says(.unavailable), end: .unavailable),
    .write(.says(.unavailable), .says(.unavailable), .says(.unavailable), end: .unavailable),
    .write(.says(.unknownOutcome), end: .unknown),
    .write(.says(.unknownOutcome), .done, end: .done),
    .write(.says(.unknownOutcome), .says(.unavailable), end: .unknown),
    .write(.says(.unknownOutcome), .says(.notLeader), .unsent, end: .unknown),
    .write(.says(.unspecified), end: .unknown),
    .write(.says(.UNRECOGNIZED(99)), end: .unknown),
    .write(.wrongAnswer, end: .unknown),
    // Whoever made the batch makes others of it, unless it may have been carried out.
    .write(.says(.spansPartitions), end: .done),
    .write(.lost, .says(.spansPartitions), end: .unknown),
    // Answers that are final where no attempt before them is open.
    .write(.says(.conditionFalse), end: .conditionFalse),
    .write(.says(.notLeader), .says(.conditionFalse), end: .conditionFalse),
    .write(.says(.unavailable), .says(.conditionFalse), end: .conditionFalse),
    .write(.unsent, .says(.conditionFalse), end: .conditionFalse),
    .write(.says(.invalid), end: .invalid),
    .write(.says(.refused), end: .refused),
    .write(.says(.diskFull), end: .diskFull),
    .write(.says(.damaged), end: .damaged),
    .write(.says(.internal), end: .internalBug),
    // The same after an attempt that is open: it may be applied yet, so nothing but what is recorded settles it.
    .write(.lost, .says(.conditionFalse), end: .unsettled),
    .write(.lost, .says(.invalid), end: .unknown),
    .write(.lost, .says(.refused), end: .unknown),
    .write(.lost, .says(.diskFull), end: .unknown),
    .write(.lost, .says(.damaged), end: .unknown),
    .write(.lost, .says(.internal), end: .unknown),
    .write(.lost, .absent, end: .unsettled),
    .write(.falseForGood, end: .conditionFalse),
    .write(.lost, .falseForGood, end: .conditionFalse),
    .write(.says(.unknownOutcome), .says(.notLeader), .falseForGood, end: .conditionFalse),
    .write(.lost, .absentForGood, end: .done),
    .write(.lost, .foreign, end: .unknown),
    .write(.lost, .refused, end: .unknown),
    .write(.lost, .local, end: .unknown),
    .write(.says(.unknownOutcome), .says(.conditionFalse), end: .unsettled),
    .write(.says(.unknownOutcome), .absent, end: .unsettled),
    // Peers that aren't of the cluster, or don't want us.
    .write(.foreign, end: .notThisCluster),
    .write(.refused, end: .refused),
    .write(.foreign, .refused, end: .refused),
    // Who is down would refuse us too; who takes requests doesn't.
    .write(.refused, .unsent, end: .refused),
    .write(.refused, .lost, end: .unknown),
    .write(.refused, .says(.notLeader), end: .unavailable),
    .write(.local, end: .configuration),
    .write(.foreign, .done, end: .done),
    .read(.done, end: .done),
    .read(.lost, end: .unavailable),
    .read(.lost, .done, end: .done),
    .read(.says(.unknownOutcome), end: .unavailable),
    .read(.says(.unspecified), end: .unavailable),
    .read(.says(.notLeader), .says(.unavailable), .unsent, .done, end: .done),
    .read(.says(.notRetained), end: .notRetained),
    .read(.says(.futureVersion), end: .future),
    .read(.says(.damaged), end: .damaged),
    .read(.lost, .says(.damaged), end: .damaged),
    .read(.says(.refused), end: .refused),
    .read(.says(.invalid), end: .invalid),
    .read(.says(.internal), end: .internalBug),
    .read(.foreign, end: .notThisCluster),
    .read(.refused, end: .refused),
    .read(.refused, .unsent, end: .refused),
    .read(.refused, .lost, end: .unavailable),
    .read(.refused, .says(.notLeader), end: .unavailable),
    .read(.lost, .local, end: .configuration),
  ]

  @Test("the attempts at a request come to what the table says", arguments: rows)
  func table(_ row: Row) {
    var random = SplitMix64(seed: 1)
    let id = RequestID(session: SessionID(milliseconds: 1, using: &random), sequence: 1)
    var attempts = Attempts("put", write: row.isWrite ? id : nil)
    var end = End.stillTrying
    for (place, step) in row.steps.enumerated() {
      #expect(end == .stillTrying || end == .withoutPeer, "the request ended before step \(place)")
      end = Self.end(attempts.record(Self.outcome(step), at: "10.0.0.\(place):1"))
    }
    if end == .stillTrying { end = Self.end(attempts.expired(after: 5000)) }
    if end == .withoutPeer { end = Self.end(attempts.exhausted()) }
    #expect(end == row.end)
  }

  private static func outcome(_ step: Step) -> Outcome {
    switch step {
    case .unsent: return .unsent(ChannelFailure(kind: .broken, words: "is down"))
    case .foreign: return .unsent(ChannelFailure(kind: .notThisCluster, words: "is another cluster's"))
    case .refused: return .unsent(ChannelFailure(kind: .refused, words: "refuses our certificate"))
    case .local: return .unsent(ChannelFailure(kind: .local, words: "our key can't be read"))
    case .lost: return .lost("broke")
    case .wrongAnswer: return .lost("sent an answer that doesn't fit the request")
    case .says(let code): return .answered(.failure(FakeCluster.failure(code)))
    case .done:
      var write = WireWriteResponse()
      write.version = 5
      return .answered(.write(write))
    case .absent: return .answered(.write(WireWriteResponse()))
    case .absentForGood: return .answered(.write(.with { $0.recorded = true }))
    case .falseForGood:
      var failure = FakeCluster.failure(.conditionFalse)
      failure.recorded = true
      return .answered(.failure(failure))
    }
  }

  private static func end(_ verdict: Verdict) -> End {
    switch verdict {
    case .done: .done
    case .again: .stillTrying
    case .without: .withoutPeer
    case .failed(let error): end(error)
    }
  }

  private static func end(_ error: ClientError) -> End {
    switch error {
    case .conditionFalse, .conditionOfBatchFalse: .conditionFalse
    case .notRetained: .notRetained
    case .futureVersion: .future
    case .invalid: .invalid
    case .refused: .refused
    case .notThisCluster: .notThisCluster
    case .unavailable: .unavailable
    case .unknownOutcome: .unknown
    case .unsettled: .unsettled
    case .damaged: .damaged
    case .diskFull: .diskFull
    case .configuration: .configuration
    case .internal: .internalBug
    }
  }

  @Test("what repeats an earlier attempt is unknown where nobody answers, and what it is told where somebody does")
  func repetition() {
    var random = SplitMix64(seed: 1)
    let id = RequestID(session: SessionID(milliseconds: 1, using: &random), sequence: 1)
    var attempts = Attempts("put", write: id, isRepetition: true)
    _ = attempts.record(Self.outcome(.unsent), at: "a:1")
    #expect(Self.end(attempts.expired(after: 5000)) == .unknown)
    #expect(Self.end(attempts.record(Self.outcome(.says(.conditionFalse)), at: "a:1")) == .conditionFalse)
    #expect(Self.end(attempts.record(Self.outcome(.says(.refused)), at: "a:1")) == .refused)
    #expect(Self.end(attempts.record(Self.outcome(.done), at: "a:1")) == .done)
  }

  @Test("an error names each peer once, with its latest reason and how often it failed")
  func words() {
    var attempts = Attempts("get")
    _ = attempts.record(.unsent(ChannelFailure(kind: .broken, words: "is down")), at: "a:1")
    _ = attempts.record(.lost("hung up"), at: "b:1")
    _ = attempts.record(.lost("gave no answer"), at: "a:1")
    guard case .unavailable(let words) = attempts.expired(after: 300) else {
      Issue.record("expected unavailable")
      return
    }
    #expect(words.hasPrefix("get: nobody could do it within 300 ms: a:1: gave no answer (2 times); b:1: hung up"))
  }

  @Test("a peer's message reaches an error escaped and cut")
  func hostileMessage() {
    var failure = FakeCluster.failure(.invalid)
    failure.message = "\u{1b}[2J" + String(repeating: "x", count: 5000)
    var attempts = Attempts("get")
    guard case .failed(.invalid(let words)) = attempts.record(.answered(.failure(failure)), at: "a:1") else {
      Issue.record("expected invalid")
      return
    }
    #expect(words.contains(#"\x1b[2J"#) && words.utf8.count < 1200)
  }

  @Test("exit codes are those of the command contract")
  func exitCodes() {
    var random = SplitMix64(seed: 1)
    let id = RequestID(session: SessionID(milliseconds: 1, using: &random), sequence: 1)
    let codes: [(ClientError, Int32)] = [
      (.conditionFalse(current: nil), 1), (.damaged(""), 2), (.notRetained(floor: .zero), 3), (.invalid(""), 65),
      (.futureVersion(""), 77), (.unavailable(""), 69), (.internal(""), 70), (.diskFull(""), 74),
      (.unknownOutcome("", id), 75), (.unsettled("", id), 75), (.notThisCluster(""), 76), (.refused(""), 77),
      (.configuration(""), 78),
    ]
    for (error, code) in codes { #expect(error.exitCode == code, "\(error)") }
  }
}
