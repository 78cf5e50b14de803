import Bytes
import Environment
import Raft
import Wire

/// Takes replicas out of service that a check found wrong, so that the catalog gives the node others in their place
/// (`Fences`), which the group's leader fills. Their files are kept.
///
/// A mark on the disk comes first: whatever crashes afterwards, the replica is not opened again.
final class RepairFences {
  private unowned let node: Node
  private var pending: [GroupID: Pending] = [:]

  private struct Pending {
    let replica: ReplicaID
    let words: String
    let since: Moment
    /// Whether the mark is on the disk.
    var isMarked = false
    let done: (WireCheckResponse) -> Void
  }

  init(node: Node) {
    self.node = node
  }

  /// Carries out a step FENCE: answers once the replica takes part in nothing any more, or why it can't be so.
  func fence(_ request: WireCheckRequest, done: @escaping (WireCheckResponse) -> Void) {
    let group = GroupID(rawValue: request.group)
    guard let replica = node.replicas[group], replica.id.rawValue == request.replica, pending[group] == nil,
      let entry = node.catalog.catalog?.partition(group), entry.replicas.count > 1
    else { return done(WireCheckResponse()) }
    pending[group] = Pending(replica: replica.id, words: request.words, since: node.now, done: done)
    let (storage, words) = (node.storage, request.words)
    node.host.run(.background) {
      storage.markFenced(group, because: words)
    } then: { [self] failure in
      if let failure {
        node.host.log(.error, "partition \(group): its replica can't be marked as damaged: \(failure)")
        pending.removeValue(forKey: group)?.done(WireCheckResponse())
      }
      pending[group]?.isMarked = true
      advance()
      node.pump()
    }
  }

  func tick() {
    if !pending.isEmpty { advance() }
  }

  private func advance() {
    for (group, wanted) in pending.sorted(by: { $0.key < $1.key }) where wanted.isMarked {
      guard let replica = node.replicas[group], replica.id == wanted.replica,
        let partition = replica.machine as? Partition
      else {
        pending.removeValue(forKey: group)?.done(WireCheckResponse())
        continue
      }
      let waited = node.now.milliseconds(since: wanted.since)
      if replica.core.isLeader, waited < Limits.fenceHandOverMilliseconds {
        node.planner.handOver(replica, except: [])
        continue
      }
      guard partition.isIdle else { continue }
      pending[group] = nil
      node.checks.drop(group)
      partition.roleChanged()
      node.remove(group)
      node.fences.add(group, Fence(replica: replica.id, words: wanted.words, store: nil, point: nil))
      node.fences.mapChanged()
      wanted.done(
        .with {
          $0.state = .done
          $0.kept = node.storage.nextPlaceAside(group)
        })
    }
  }
}
