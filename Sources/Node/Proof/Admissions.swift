import Bytes
import Environment
import Raft
import Wire

/// Lets a learner vote only once it holds what the voters do (DESIGN §7): those in reach, and the learner, give their
/// sums as of one log entry, and the learner's must be the one that a majority of the voters have. One that has another
/// is replaced; it never had a vote.
final class Admissions {
  private unowned let node: Node
  private var underWay: [GroupID: (learner: ReplicaID, check: UInt64)] = [:]
  /// When the next check of a partition's learner may begin.
  private var nextAt: [GroupID: Moment] = [:]

  /// What a check says of a learner.
  enum Verdict: Equatable {
    case equal
    case differs
    /// Too few could be asked.
    case unknown
  }

  init(node: Node) {
    self.node = node
  }

  /// Whether a learner that has caught up may vote now. Where that isn't known, it is found out, and told later.
  func admits(_ learner: ReplicaID, to partition: Partition, _ replica: GroupReplica) -> Bool {
    let group = partition.group
    // Data that an older release made may have no sum: there is nothing to hold the learner's against.
    guard partition.appliedSum != nil else {
      underWay[group] = nil
      return true
    }
    guard let current = underWay[group], current.learner == learner else {
      begin(learner, replica)
      return false
    }
    guard let report = node.verifier.report(of: current.check) else {
      if !node.verifier.holds(current.check) { underWay[group] = nil }
      return false
    }
    underWay[group] = nil
    switch Admissions.verdict(of: report, on: learner, voters: replica.core.membership.voters) {
    case .equal: return true
    case .unknown: break
    case .differs: replace(learner, in: group)
    }
    return false
  }

  private func begin(_ learner: ReplicaID, _ replica: GroupReplica) {
    if let next = nextAt[replica.group], node.now < next { return }
    nextAt[replica.group] = node.now.advanced(milliseconds: Limits.admissionPauseMilliseconds)
    let question = CheckRun.Question(group: replica.group, prefix: [], rate: 0, isQuick: true)
    let voters = replica.core.membership.voters.filter { mayAnswer($0.node) }
    underWay[replica.group] = (learner, node.verifier.begin(question, of: voters.sorted() + [learner]))
  }

  /// Whether a voter on a node is worth waiting for; a majority is enough.
  private func mayAnswer(_ id: NodeID) -> Bool {
    node.catalog.catalog?.node(id)?.departure != .isLost && !node.silence.contains(id, at: node.now)
  }

  private func replace(_ learner: ReplicaID, in group: GroupID) {
    node.host.log(
      .error, "partition \(group): replica \(learner) differs from the voters after it caught up: it is replaced")
    let command = WireCatalogCommand.with {
      $0.replaceReplica = .with {
        $0.group = group.rawValue
        $0.replica = learner.rawValue
      }
    }
    // Where it is refused or lost, the next check finds the same.
    node.proposeToCatalog(command) { _ in }
  }

  /// What a check of voters and a learner says of the learner.
  static func verdict(of report: WireCheckReport, on learner: ReplicaID, voters: [ReplicaID]) -> Verdict {
    guard let own = report.replicas.first(where: { $0.replica == learner.rawValue })?.root, !own.isEmpty else {
      return .unknown
    }
    var holders: [WireBytes: Int] = [:]
    for replica in report.replicas where !replica.root.isEmpty && voters.contains(ReplicaID(rawValue: replica.replica))
    {
      holders[replica.root, default: 0] += 1
    }
    guard let root = holders.first(where: { $0.value > voters.count / 2 })?.key else { return .unknown }
    return root == own ? .equal : .differs
  }
}
