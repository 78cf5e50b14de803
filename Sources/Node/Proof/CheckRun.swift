import Bytes
import Environment
import Merkle
import Raft
import Store
import Wire

/// One check of a partition, on the node that leads it: all voters hold their state at one log entry, read it from
/// their disks, and show roots; where those differ, it goes down to the records.
///
/// The floor counts that the voter has which has dropped most: so what one has not dropped yet is no difference, and
/// the log entry need not carry it.
final class CheckRun {
  /// What is asked for.
  struct Question {
    let group: GroupID
    let prefix: [UInt8]
    /// What a read at this version shows; nil: all that is retained.
    var at: Version?
    let rate: UInt64
    /// What the checks of one command have in common; 0: it is of none.
    var round: UInt64 = 0
    /// Compares sums that are kept anyway.
    let isQuick: Bool
  }

  /// A voter, and how far it is.
  struct Voter {
    let replica: ReplicaID
    var answer = WireCheckResponse()
    /// Why it can't be checked.
    var trouble: String?
    var isAsked = false
    var lastHeard: Moment
    var lastProgress: Moment

    var isHeld: Bool { trouble == nil && answer.state != .unknown && answer.state != .waiting }
    var isRead: Bool { trouble == nil && answer.state == .done }
    var hasTree: Bool { isRead && !answer.root.isEmpty }
  }

  enum Phase {
    case preparing
    /// Waiting for the entry to be applied.
    case marking
    case scanning
    /// Looking for what differs.
    case comparing
    case done(WireCheckReport)
  }

  let number: UInt64
  let question: Question
  unowned let node: Node
  var voters: [Voter]
  private(set) var phase = Phase.preparing
  private var phaseBegan: Moment
  /// Whether voters are being asked: an answer that is there at once is judged when all were.
  private var isPolling = false
  var exchangedBytes: UInt64 = 0
  private var differences: [WireRecordDifference] = []
  private var moreDifferences = false
  /// What all voters still have of the past: the greatest of their floors, and the pins that all hold.
  private var agreed = (floor: UInt64(0), pins: [UInt64]())
  /// What waits for the next tick.
  private var deferred: [() -> Void] = []
  private let ended: (WireCheckReport) -> Void
  private var hasLostLeadership = false

  init(node: Node, number: UInt64, question: Question, voters: [ReplicaID], ended: @escaping (WireCheckReport) -> Void)
  {
    self.node = node
    self.number = number
    self.question = question
    self.ended = ended
    phaseBegan = node.now
    self.voters = voters.map { Voter(replica: $0, lastHeard: node.now, lastProgress: node.now) }
  }

  /// What came of it, once it is done.
  var report: WireCheckReport? { if case .done(let report) = phase { report } else { nil } }

  /// The bytes read by the voter that has read least, and about how many it will.
  var progress: (done: UInt64, total: UInt64) {
    let reading = voters.filter(\.isHeld)
    let slowest = reading.min { $0.answer.bytesDone < $1.answer.bytesDone }
    return (slowest?.answer.bytesDone ?? 0, reading.map(\.answer.bytesTotal).max() ?? 0)
  }

  // MARK: Steps

  /// Begins: all voters are told to expect the entry.
  func start() {
    askAll(
      .prepare,
      each: { [self] at, answer in
        if answer?.state != .waiting { voters[at].trouble = answer == nil ? Self.silent : "it can't take part now" }
      },
      then: { [self] in mark() })
  }

  /// Ends it early; nobody asks for it any more.
  func abandon() {
    guard report == nil else { return }
    finish()
  }

  private static let silent = "its node did not answer"
  private static let late = "it did not get to the check's log entry in time: kv status tells how far it is"

  private func mark() {
    guard let replica = node.replicas[question.group], replica.leads,
      (try? replica.propose(CheckMark(check: number).encode())) != nil
    else {
      hasLostLeadership = true
      return failAll("the partition's leader changed")
    }
    enter(.marking)
    askVoters()
  }

  private func failAll(_ words: String) {
    for at in voters.indices where voters[at].trouble == nil { voters[at].trouble = words }
    finish()
  }

  private func enter(_ phase: Phase) {
    self.phase = phase
    phaseBegan = node.now
    for at in voters.indices {
      voters[at].lastHeard = node.now
      voters[at].lastProgress = node.now
    }
  }

  /// Does something at the next tick.
  func later(_ body: @escaping () -> Void) { deferred.append(body) }

  func tick() {
    let due = deferred
    deferred.removeAll()
    for body in due { body() }
    askVoters()
  }

  /// Asks the voters how far they are, those that have not been asked already.
  private func askVoters() {
    isPolling = true
    switch phase {
    case .marking:
      poll(.report) { $0.isHeld }
      if node.now.milliseconds(since: phaseBegan) > Limits.checkMarkMilliseconds {
        for at in voters.indices where voters[at].trouble == nil && !voters[at].isHeld {
          let trouble = voters[at].answer.trouble
          voters[at].trouble = trouble.isEmpty ? Self.late : trouble
        }
      }
    case .scanning: poll(.scan) { $0.isRead }
    case .preparing, .comparing, .done: break
    }
    isPolling = false
    proceed()
  }

  /// Goes on to the next phase once all voters are through with this one.
  private func proceed() {
    guard !isPolling else { return }
    switch phase {
    case .marking where voters.allSatisfy({ $0.trouble != nil || $0.isHeld }):
      if question.isQuick { compareSums() } else { scan() }
    case .scanning where voters.allSatisfy({ $0.trouble != nil || $0.isRead }): compare()
    default: break
    }
  }

  /// Asks those that are not through how far they are.
  private func poll(_ step: WireCheckRequest.Step, until isThrough: (Voter) -> Bool) {
    for at in voters.indices where voters[at].trouble == nil && !isThrough(voters[at]) {
      if node.now.milliseconds(since: voters[at].lastHeard) > Limits.checkSilenceMilliseconds {
        voters[at].trouble = Self.silent
      } else if node.now.milliseconds(since: voters[at].lastProgress) > Limits.checkReportMilliseconds {
        voters[at].trouble = "it reads nothing any more"
      }
      guard voters[at].trouble == nil, !voters[at].isAsked else { continue }
      voters[at].isAsked = true
      ask(at, step) {
        $0.floor = agreed.floor
        $0.pins = agreed.pins
        $0.prefix = .init(question.prefix)
        $0.at = question.at?.rawValue ?? 0
        $0.rate = question.rate
        $0.round = question.round
      } then: { [self] answer in
        voters[at].isAsked = false
        if let answer { take(answer, of: at) }
        proceed()
      }
    }
  }

  private func take(_ answer: WireCheckResponse, of at: Int) {
    voters[at].lastHeard = node.now
    if answer.state == .unknown {
      voters[at].trouble = "it lost the check: its node restarted, or the replica was replaced"
    } else if case .scanning = phase, answer.at != question.at?.rawValue ?? 0 {
      voters[at].trouble = "its release can't check what there was at a version"
    } else {
      if answer.bytesDone != voters[at].answer.bytesDone { voters[at].lastProgress = node.now }
      voters[at].answer = answer
    }
  }

  /// All that hold their state read it, down to the floor that all of them have.
  private func scan() {
    let holding = voters.filter(\.isHeld).map(\.answer)
    guard !holding.isEmpty else { return finish() }
    agreed.floor = holding.map(\.floor).max() ?? 0
    agreed.pins = holding.dropFirst().reduce(Set(holding.first?.pins ?? [])) { $0.intersection($1.pins) }.sorted()
    let retention = Retention(
      floor: Version(rawValue: agreed.floor), pins: agreed.pins.map { Version(rawValue: $0) })
    if let at = question.at, !retention.holds(at) {
      return failAll("version \(at) is no longer retained: the oldest still readable is \(retention.floor)")
    }
    enter(.scanning)
    askVoters()
  }

  private func compareSums() {
    for at in voters.indices where voters[at].isRead && voters[at].answer.root.isEmpty {
      voters[at].trouble = "it does not have the sum: its data is older than that; a plain verify reads all of it"
    }
    finish()
  }

  private func compare() {
    phase = .comparing
    let trees = voters.indices.filter { voters[$0].hasTree }
    guard Set(trees.map { voters[$0].answer.root }).count > 1 else { return finish() }
    descend(trees, TreeDescent(depth: Limits.sliceBits))
  }

  private func descend(_ trees: [Int], _ descent: TreeDescent) {
    if let slices = descent.slices {
      moreDifferences = descent.isCut
      return list(trees, slices, from: [])
    }
    var answers: [Int: [UInt8]] = [:]
    askAll(
      .descend, of: trees,
      fill: {
        $0.nodes = descent.wanted.map { UInt32($0) }
        $0.levels = UInt32(descent.levels)
      },
      each: { at, answer in answers[at] = answer?.nodes.array ?? [] },
      then: { [self] in
        var next = descent
        // Where a voter is gone meanwhile its answer is empty; what is known stays true.
        guard next.take(trees.map { answers[$0] ?? [] }) else { return finish() }
        descend(trees, next)
      })
  }

  private func list(_ trees: [Int], _ slices: [Int], from start: [UInt8]) {
    var pages: [RecordDiff.Page] = []
    var isComplete = true
    askAll(
      .list, of: trees,
      fill: {
        $0.slices = slices.map { UInt32($0) }
        $0.fromKey = .init(start)
      },
      each: { [self] at, answer in
        guard let answer, answer.state == .done else {
          isComplete = false
          return
        }
        pages.append(RecordDiff.Page(replica: voters[at].replica, records: answer.listed, more: answer.more))
      },
      then: { [self] in
        guard isComplete else { return finish() }
        let frontier = RecordDiff.frontier(pages)
        differences += RecordDiff.differences(pages.sorted { $0.replica < $1.replica }, through: frontier)
        guard let frontier else { return finish() }
        guard differences.count < Limits.differences else {
          moreDifferences = true
          return finish()
        }
        list(trees, slices, from: frontier.successor.bytes)
      })
  }

  // MARK: The end

  private func finish() {
    guard report == nil else { return }
    let report = makeReport()
    phase = .done(report)
    deferred.removeAll()
    for at in voters.indices { ask(at, .end) { _ in } }
    ended(report)
  }

  private func makeReport() -> WireCheckReport {
    let verdict = CheckVerdict(voters.map { ($0.replica, $0.finding) })
    let roots = Set(voters.compactMap(\.root))
    var report = WireCheckReport()
    report.group = question.group.rawValue
    report.leaderChanged = hasLostLeadership
    report.index = voters.map(\.answer.index).max() ?? 0
    report.floor = voters.map(\.answer.floor).max() ?? 0
    report.replicas = voters.map { voter in
      .with {
        $0.replica = voter.replica.rawValue
        $0.words = voter.trouble ?? ""
        $0.records = voter.answer.records
        $0.recordBytes = voter.answer.recordBytes
        $0.root = .init(voter.root ?? [])
        $0.damage = voter.answer.damage
        $0.outcome =
          switch voter.finding {
          case .notChecked: .notChecked
          case .damaged: .damaged
          case .sound where roots.count > 1 && !verdict.right.contains(voter.replica): .differs
          case .sound: voter.answer.damage.isEmpty ? .equal : .damaged
          }
      }
    }
    report.differences = Array(differences.prefix(Limits.differences))
    report.moreDifferences = moreDifferences || differences.count > Limits.differences
    report.wrong = verdict.wrong.map(\.rawValue)
    report.undecided = verdict.undecided ?? ""
    report.exchangedBytes = exchangedBytes
    report.quick = question.isQuick
    report.at = question.at?.rawValue ?? 0
    return report
  }
}

extension CheckRun.Voter {
  /// SHA-256(2 | the tree's root | the state's digest); nil where it isn't known.
  var root: [UInt8]? {
    guard hasTree else { return nil }
    let hash = SHA256()
    ([2] + answer.root.array + answer.stateDigest.array).withUnsafeBytes { hash.update($0) }
    return hash.finish()
  }

  /// What its node mends by itself says nothing against what it holds.
  var finding: CheckVerdict.Finding {
    guard isRead else { return .notChecked }
    guard answer.damage.allSatisfy(\.mendsItself), let root else { return .damaged }
    return .sound(root: root)
  }
}
