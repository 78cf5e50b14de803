import Bytes
import Environment
import Wire

/// Keeps the closed versions of the replicas here that don't lead up to date: asks each node that leads some of their
/// partitions for all of them at once. Often while reads of such replicas come, seldom while none do.
final class ClosedVersions {
  private unowned let node: Node
  private var nextQuestion = Moment(rawValue: 0)
  private var usedUntil = Moment(rawValue: 0)
  /// The nodes that were asked and have not answered.
  private var asked: Set<NodeID> = []

  init(node: Node) {
    self.node = node
  }

  /// A replica that doesn't lead was read, or should have been.
  func wasUsed() {
    if usedUntil < node.now { nextQuestion = node.now }
    usedUntil = node.now.advanced(milliseconds: Limits.followerReadMemory)
  }

  /// Asks, if it is time. At every round it notes which replicas lead.
  func tick(isRound: Bool) {
    let now = node.now
    if isRound { for partition in node.partitions { partition.noticeLeadership(now: now) } }
    guard now >= nextQuestion else { return }
    nextQuestion = now.advanced(
      milliseconds: now < usedUntil ? Limits.closedVersionMilliseconds : Limits.idleClosedVersionMilliseconds)
    var groups: [NodeID: [UInt32]] = [:]
    for partition in node.partitions where partition.hasState {
      guard let leader = partition.replica?.core.leader, leader != .none, leader.node != node.id else { continue }
      groups[leader.node, default: []].append(partition.group.rawValue)
    }
    for (leader, groups) in groups.sorted(by: { $0.key < $1.key }) where !asked.contains(leader) {
      ask(leader, groups)
    }
  }

  private func ask(_ leader: NodeID, _ groups: [UInt32]) {
    guard node.calls.hasRoom else { return }
    asked.insert(leader)
    let asOf = node.now
    let request = WireRequest.with {
      $0.closed = .with { $0.groups = groups }
      $0.timeoutMs = UInt32(Limits.closedAnswerMilliseconds)
    }
    node.call(leader, request, deadline: asOf.advanced(milliseconds: Limits.closedAnswerMilliseconds)) {
      [self] result in
      asked.remove(leader)
      if case .answered(.closed(let answer)) = result { take(answer, asOf: asOf) }
    }
  }

  private func take(_ answer: WireClosedResponse, asOf: Moment) {
    guard answer.groups.count == answer.indexes.count else { return }
    let version = Version(rawValue: answer.version)
    node.versions.learned(version)
    for (group, index) in zip(answer.groups, answer.indexes) {
      guard let partition = node.replicas[GroupID(rawValue: group)]?.machine as? Partition,
        let applied = partition.replica?.applied.index
      else { continue }
      partition.closed.learned(version, at: LogIndex(rawValue: index), asOf: asOf, applied: applied)
    }
  }
}

extension Node {
  /// Tells a node that holds replicas of these partitions which version is closed in those that are led here: a version
  /// of the oracle's, for a partition whose leader was sure to be that after the version had come, and once nothing at or
  /// below it was on its way.
  func serve(_ request: WireClosedRequest, reply: @escaping Reply) {
    guard request.groups.count <= Limits.partitions else {
      return reply(WireFailure.because(.invalid, "at most \(Limits.partitions) partitions"))
    }
    let wanted = request.groups.compactMap { replicas[GroupID(rawValue: $0)]?.machine as? Partition }
    let asOf = now
    versions.latest { [weak self] version in
      guard let self, let version else {
        return reply(WireFailure.because(.unavailable, "the oracle did not answer in time"))
      }
      close(wanted.filter { $0.replica?.leads == true }, at: version, asOf: asOf, reply: reply)
    }
  }

  /// What others are told of a partition this replica keeps in mind, too: it may lead no more when it is next asked.
  private func close(_ partitions: [Partition], at version: Version, asOf: Moment, reply: @escaping Reply) {
    var answer = WireClosedResponse.with { $0.version = version.rawValue }
    var left = partitions.count
    guard left > 0 else { return reply(.closed(answer)) }
    for partition in partitions {
      partition.whenReadable(at: version) { failure in
        // While a split is in the log the upper half may take writes elsewhere that this replica doesn't know of.
        if failure == nil, partition.split.proposed == nil, let index = partition.replica?.applied.index {
          answer.groups.append(partition.group.rawValue)
          answer.indexes.append(index.rawValue)
          partition.closed.learned(version, at: index, asOf: asOf, applied: index)
        }
        left -= 1
        if left == 0 { reply(.closed(answer)) }
      }
    }
  }
}
