import Bytes
import Environment
import Raft
import Wire

/// The checks that this node leads, and what came of them.
final class Verifier {
  private unowned let node: Node
  private var runs: [UInt64: Run] = [:]

  private struct Run {
    let check: CheckRun
    /// Until when it is waited for or, once done, kept.
    var expires: Moment
    /// Who asked after it, and until when an answer may wait for its end.
    var waiters: [(until: Moment, reply: Reply)] = []
  }

  init(node: Node) {
    self.node = node
  }

  /// The number of checks under way.
  var count: Int { runs.values.count { $0.check.report == nil } }
  private func count(quick: Bool) -> Int {
    runs.values.count { $0.check.report == nil && $0.check.question.isQuick == quick }
  }

  func tick() {
    for (number, run) in runs.sorted(by: { $0.key < $1.key }) {
      guard node.now < run.expires else {
        runs[number] = nil
        run.check.abandon()
        for waiter in run.waiters { waiter.reply(.verify(progress(number))) }
        continue
      }
      run.check.tick()
      settle(number)
    }
  }

  /// Answers those that asked after a check, if it is done or their time is over.
  private func settle(_ number: UInt64) {
    guard let run = runs[number], !run.waiters.isEmpty else { return }
    let isDone = run.check.report != nil
    let due = run.waiters.filter { isDone || $0.until <= node.now }
    runs[number]?.waiters.removeAll { isDone || $0.until <= node.now }
    for waiter in due { waiter.reply(.verify(progress(number))) }
  }

  /// Says how far a check is: once it is done, or after a while.
  func whenDone(_ number: UInt64, _ deadline: Moment, reply: @escaping Reply) {
    let left = deadline.milliseconds(since: node.now)
    guard let run = runs[number], run.check.report == nil, left > 2 * Limits.checkHoldMilliseconds else {
      return reply(.verify(progress(number)))
    }
    touch(number)
    runs[number]?.waiters.append((node.now.advanced(milliseconds: Limits.checkHoldMilliseconds), reply))
  }

  /// Begins a check of a partition that this node leads.
  func serve(_ request: WireVerifyRequest, _ partition: Partition, reply: @escaping Reply) {
    guard request.at > 0 else { return begin(request, partition, reply: reply) }
    let (at, retention) = (Version(rawValue: request.at), partition.store.retention)
    guard retention.holds(at) else { return reply(node.notRetained(at, floor: retention.floor)) }
    node.whenNotFuture(at, reply) { [self] in begin(request, partition, reply: reply) }
  }

  private func begin(_ request: WireVerifyRequest, _ partition: Partition, reply: Reply) {
    guard let replica = partition.replica, replica.leads else { return reply(partition.notLeader) }
    guard count(quick: request.quick) < (request.quick ? Limits.quickChecks : Limits.checks) else {
      return reply(
        WireFailure.because(.unavailable, "node \(node.id) leads \(count) checks already; try again"))
    }
    guard request.prefix.count <= Limits.keyBytes.rawValue else {
      return reply(WireFailure.because(.invalid, "the prefix is longer than a key"))
    }
    guard !request.quick || request.prefix.isEmpty && request.at == 0 else {
      return reply(WireFailure.because(.invalid, "a quick check knows no sums for a prefix or a version"))
    }
    let question = CheckRun.Question(
      group: partition.group, prefix: request.prefix.array,
      at: request.at == 0 ? nil : Version(rawValue: request.at), rate: request.rate, round: request.round,
      isQuick: request.quick)
    let number = begin(question, of: replica.core.membership.voters.sorted())
    reply(.verify(progress(number)))
  }

  /// Begins a check of a partition's replicas, which this node leads; gives its number.
  func begin(_ question: CheckRun.Question, of replicas: [ReplicaID]) -> UInt64 {
    let random = node.host.randomBytes(4).reduce(0) { $0 << 8 | UInt64($1) }
    // Says who leads the check, whoever leads the partition by then.
    let number = UInt64(node.id.rawValue) << 32 | random
    let check = CheckRun(
      node: node, number: number, question: question, voters: replicas
    ) { [weak self] report in
      guard let self else { return }
      node.backgroundChecks.note(report, of: question)
      node.onCheck?(report)
      settle(number)
    }
    runs[number] = Run(
      check: check, expires: node.now.advanced(milliseconds: Limits.checkPatienceMilliseconds))
    check.start()
    return number
  }

  /// Keeps a check that nobody asks after from ending.
  func touch(_ number: UInt64) {
    let patience =
      runs[number]?.check.report == nil ? Limits.checkPatienceMilliseconds : Limits.checkReportMilliseconds
    runs[number]?.expires = node.now.advanced(milliseconds: patience)
  }

  /// Whether a check is known here, done or not.
  func holds(_ number: UInt64) -> Bool { runs[number] != nil }

  /// What came of a check, if it is known here and done.
  func report(of number: UInt64) -> WireCheckReport? { runs[number]?.check.report }

  /// Brings a step to a replica's node.
  func send(_ step: WireCheckRequest, _ done: @escaping (WireCheckResponse?) -> Void) {
    let target = ReplicaID(rawValue: step.replica).node
    guard target != node.id else { return node.repairFences.fence(step) { done($0) } }
    let deadline = node.now.advanced(milliseconds: Limits.fenceAnswerMilliseconds)
    node.call(target, .with { $0.check = step }, deadline: deadline) { result in
      if case .answered(.check(let answer)) = result { done(answer) } else { done(nil) }
    }
  }

  /// The node that leads a check.
  static func leader(of number: UInt64) -> NodeID { NodeID(rawValue: UInt32(truncatingIfNeeded: number >> 32)) }

  /// How far a check is.
  func progress(_ number: UInt64) -> WireVerifyResponse {
    // Not known here: another node led, or this one restarted. Who asked begins anew.
    guard let run = runs[number] else { return .with { $0.done = true } }
    touch(number)
    return .with {
      $0.check = number
      ($0.bytesDone, $0.bytesTotal) = run.check.progress
      guard let report = run.check.report else { return }
      $0.done = true
      $0.report = report
    }
  }
}
