import Bytes
import Client
import Wire

/// What is wrong with a cluster, judged from what its members say of themselves.
///
/// It is healthy when every member answers, every partition has a leader, and all wanted replicas are voters that are
/// nearly caught up, by the log.
struct ClusterHealth {
  /// Each thing that is wrong, in words; empty: the cluster is healthy.
  let problems: [String]

  /// Whether nothing is wrong.
  var isHealthy: Bool { problems.isEmpty }

  /// How many replicas a partition shall have, where there are so many nodes.
  static let replicasWanted = 3
  /// By how many log entries a replica may be behind its leader and still count as caught up.
  static let nearlyCaughtUp: UInt64 = 1000

  /// Judges the reports of all members.
  init(_ reports: [NodeReport]) {
    var problems: [String] = []
    var replicas: [UInt32: [WireStatusResponse.GroupStatus]] = [:]
    for report in reports {
      if report.member.departure > 0 {
        let what = report.member.departure == 1 ? "leaving" : "lost"
        problems.append("node \(report.member.id) is \(what): \(report.member.replicas) replicas to find another place")
      }
      guard let status = report.status else {
        guard report.member.departure < 2 else { continue }
        problems.append("node \(report.member.id) at \(report.member.address): \(report.error ?? "gave no status")")
        continue
      }
      problems += status.problems.map { "node \(status.node): \($0)" }
      if let words = ClusterHealth.strays(status) { problems.append(words) }
      for group in status.groups { replicas[group.group, default: []].append(group) }
    }
    let staying = reports.filter { $0.member.departure == 0 }
    let takers = staying.count { $0.member.share > 0 }
    var findings = GroupFindings()
    for (group, members) in replicas.sorted(by: { $0.key < $1.key }) {
      ClusterHealth.judge(group, members, nodes: group == 0 ? staying.count : takers, &findings)
    }
    problems += findings.words
    let moving = reports.compactMap(\.status?.moving).max() ?? 0
    if moving > 0 {
      problems.append(
        "\(moving) \(moving == 1 ? "partition waits" : "partitions wait") for replicas to be put in place")
    }
    if replicas.isEmpty, problems.isEmpty { problems.append("no node holds a replica") }
    self.problems = problems
  }

  /// What of a partition is known to be lost, where that leaves nobody who could lead it, in words; else nil.
  static func loss(of group: UInt32, in reports: [NodeReport]) -> String? {
    let members = reports.flatMap { $0.status?.groups ?? [] }.filter { $0.group == group }
    var findings = GroupFindings()
    let finding = withoutLeader(members)
    guard case .noMajority = finding else { return nil }
    findings.note(finding, of: group)
    return findings.words.first
  }

  /// The replicas of a node that have a vote and hear of no leader: others lead, and don't reach them.
  private static func strays(_ status: WireStatusResponse) -> String? {
    let strays = status.groups.count { $0.leader == 0 && $0.role != .leader && $0.voters.contains($0.replica) }
    guard strays > 0 else { return nil }
    return "node \(status.node): \(strays == 1 ? "one replica hears" : "\(strays) replicas hear") of no leader"
  }

  /// What it means that no replica leads: nothing worse, unless so many are known to be lost that the others are no majority.
  /// What a node doesn't tell of, since it is down or has just started, may be sound.
  private static func withoutLeader(_ members: [WireStatusResponse.GroupStatus]) -> GroupFindings.Finding {
    let sound = members.filter { !$0.fenced }
    let voters = sound.max { $0.term < $1.term }?.voters ?? members.map(\.replica)
    let lost = voters.count { voter in
      let node = ReplicaID(rawValue: voter).node
      return members.contains { ReplicaID(rawValue: $0.replica).node == node }
        && !sound.contains { $0.replica == voter }
    }
    return voters.count > 1 && 2 * (voters.count - lost) <= voters.count
      ? .noMajority(lost: lost, voters: voters.count) : .noLeader
  }

  private static func judge(
    _ group: UInt32, _ members: [WireStatusResponse.GroupStatus], nodes: Int, _ findings: inout GroupFindings
  ) {
    // A deposed leader may not know yet that it is one: the highest term is right.
    guard let leader = members.filter({ $0.role == .leader }).max(by: { $0.term < $1.term }),
      !members.contains(where: { $0.term > leader.term })
    else { return findings.note(withoutLeader(members), of: group) }
    let wanted = group == 0 ? Limits.catalogVoters(ofNodes: nodes) : min(replicasWanted, nodes)
    if leader.voters.count < wanted {
      findings.note(.missingVoters(leader.voters.count, wanted: wanted), of: group)
    }
    // Every node holds the catalog; more than have a vote in it learn it for good.
    for learner in leader.learners where group > 0 || leader.voters.count < wanted {
      findings.note(.learner(ReplicaID(rawValue: learner).node), of: group)
    }
    let known = Dictionary(members.map { ($0.replica, $0) }) { first, _ in first }
    for voter in leader.voters {
      let node = ReplicaID(rawValue: voter).node
      guard let replica = known[voter] else {
        findings.note(.unreported(node), of: group)
        continue
      }
      if replica.arrivingMs > 0 || leader.stateless.contains(voter) {
        findings.note(.stateless(node), of: group)
      } else if replica.applied + nearlyCaughtUp < leader.commit {
        findings.note(.behind(node), of: group, entries: leader.commit - replica.applied)
      }
    }
  }
}
