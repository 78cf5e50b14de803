import Bytes
import Environment
import Raft
import Wire

/// Checks that a leader makes by itself; and what the last check of each partition came to, whoever asked for it.
///
/// Where something was applied, the sums that replicas keep anyway are compared within `NodeOptions.sumCheckMilliseconds`:
/// that reads nothing, so a replica that missed a write is found at the price of a log entry. Where sums differ all of the
/// partition is read at once. Else that is done slowly, one partition after the other, each once in
/// `NodeOptions.checkMilliseconds`: so damage to what nobody reads is found.
final class BackgroundChecks {
  private unowned let node: Node
  private var results: [GroupID: Result] = [:]
  private var sums: [GroupID: Sums] = [:]
  private var underWay: UInt64?
  private var nextAt: Moment?

  /// What a check came to.
  struct Result {
    let report: WireCheckReport
    /// When, on the node's clock and on the wall.
    let endedAt: Moment
    let wallMilliseconds: UInt64
  }

  /// The last comparison of sums.
  private struct Sums {
    /// Up to where in the log, and when.
    var index: LogIndex
    var endedAt: Moment
    /// Whether they differed, and nobody has looked why.
    var isSuspect = false
    /// When all was last read because they differed.
    var lookedAt: Moment?
  }

  init(node: Node) {
    self.node = node
  }

  /// What the last check of a partition came to that this node led.
  func result(of group: GroupID) -> Result? { results[group] }

  /// Notes what came of a check. A quick one, or one of a part, or one that left a replica out, does not count for
  /// more than one that found something.
  func note(_ report: WireCheckReport, of question: CheckRun.Question) {
    if question.isQuick { return noteSums(report, of: question.group) }
    guard question.prefix.isEmpty, question.at == nil else { return }
    results[question.group] = Result(
      report: report, endedAt: node.now, wallMilliseconds: node.host.clock.wallMilliseconds)
  }

  private func noteSums(_ report: WireCheckReport, of group: GroupID) {
    let before = sums[group]
    var now = Sums(
      index: LogIndex(rawValue: report.index), endedAt: node.now, isSuspect: before?.isSuspect ?? false,
      lookedAt: before?.lookedAt)
    let isRecent = before?.lookedAt.map { node.now.milliseconds(since: $0) < Limits.suspicionMilliseconds } ?? false
    if report.replicas.contains(where: { $0.outcome == .differs }), !isRecent { now.isSuspect = true }
    sums[group] = now
  }

  func tick() {
    if let number = underWay {
      guard node.verifier.report(of: number) == nil, node.verifier.holds(number) else {
        underWay = nil
        return
      }
      return node.verifier.touch(number)
    }
    let led = node.partitions.filter { $0.replica?.leads == true }
    guard !led.isEmpty, node.storage.options.checkMilliseconds > 0 else { return }
    if let suspect = led.first(where: { sums[$0.group]?.isSuspect == true }) {
      sums[suspect.group]?.isSuspect = false
      sums[suspect.group]?.lookedAt = node.now
      return begin(suspect, isQuick: false)
    }
    if let partition = due(led) { return begin(partition, isQuick: false) }
    if let partition = led.first(where: hasNewSums) { begin(partition, isQuick: true) }
  }

  /// The partition whose turn it is to be read.
  private func due(_ led: [Partition]) -> Partition? {
    // Spread over the time: none at once after a start, and never all together.
    let isFirst = nextAt == nil
    if let nextAt, node.now < nextAt { return nil }
    nextAt = node.now.advanced(milliseconds: node.storage.options.checkMilliseconds / UInt64(led.count))
    return isFirst ? nil : led.min { endedAt($0) < endedAt($1) }
  }

  /// Whether something was applied since the sums were compared, if that is long enough ago.
  private func hasNewSums(_ partition: Partition) -> Bool {
    guard let last = sums[partition.group], let replica = partition.replica else { return true }
    return node.now.milliseconds(since: last.endedAt) >= node.storage.options.sumCheckMilliseconds
      && replica.applied.index > last.index
  }

  private func begin(_ partition: Partition, isQuick: Bool) {
    guard let replica = partition.replica else { return }
    let question = CheckRun.Question(
      group: partition.group, prefix: [], rate: Limits.backgroundCheckRate, isQuick: isQuick)
    underWay = node.verifier.begin(question, of: replica.core.membership.voters.sorted())
  }

  private func endedAt(_ partition: Partition) -> Moment {
    results[partition.group]?.endedAt ?? Moment(rawValue: 0)
  }
}

extension WireStatusResponse.GroupStatus {
  /// Adds what the last check came to.
  mutating func add(_ result: BackgroundChecks.Result?) {
    guard let result else { return }
    checkedMs = result.wallMilliseconds
    let outcomes = result.report.replicas.map(\.outcome)
    // What mends itself doesn't stay so: as long as it is, its node tells of it.
    let isDamaged = result.report.replicas.contains { replica in
      replica.outcome == .damaged && (replica.damage.isEmpty || !replica.damage.allSatisfy(\.mendsItself))
    }
    checkOutcome =
      isDamaged
      ? .damaged
      : outcomes.contains(.differs)
        ? .differs
        : outcomes.contains(.notChecked) ? .notChecked : .equal
  }
}
