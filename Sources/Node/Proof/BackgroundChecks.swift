import Bytes
import Environment
import Wire

/// Checks that a leader makes by itself: one partition after the other, slowly, each once in
/// `NodeOptions.checkMilliseconds`; and what the last check of each came to, whoever asked for it.
final class BackgroundChecks {
  private unowned let node: Node
  private var results: [GroupID: Result] = [:]
  private var underWay: UInt64?
  private var nextAt: Moment?

  /// What a check came to.
  struct Result {
    let report: WireCheckReport
    /// When, on the node's clock and on the wall.
    let endedAt: Moment
    let wallMilliseconds: UInt64
  }

  init(node: Node) {
    self.node = node
  }

  /// What the last check of a partition came to that this node led.
  func result(of group: GroupID) -> Result? { results[group] }

  /// Notes what came of a check. A quick one, or one of a part, or one that left a replica out, does not count for
  /// more than one that found something.
  func note(_ report: WireCheckReport, of question: CheckRun.Question) {
    guard !question.isQuick, question.prefix.isEmpty, question.at == nil else { return }
    results[question.group] = Result(
      report: report, endedAt: node.now, wallMilliseconds: node.host.clock.wallMilliseconds)
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
    // Spread over the time: none at once after a start, and never all together.
    let pause = node.storage.options.checkMilliseconds / UInt64(led.count)
    guard let due = nextAt else {
      nextAt = node.now.advanced(milliseconds: pause)
      return
    }
    guard node.now >= due else { return }
    nextAt = node.now.advanced(milliseconds: pause)
    let oldest = led.min { endedAt($0) < endedAt($1) }
    guard let partition = oldest, let replica = partition.replica else { return }
    let question = CheckRun.Question(
      group: partition.group, prefix: [], rate: Limits.backgroundCheckRate, isQuick: false)
    underWay = node.verifier.begin(question, replica)
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
    checkOutcome =
      outcomes.contains(.damaged)
      ? .damaged
      : outcomes.contains(.differs)
        ? .differs
        : outcomes.contains(.notChecked) ? .notChecked : .equal
  }
}
