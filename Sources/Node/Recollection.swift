import Bytes
import Environment
import Log
import Raft
import Wire

/// What a node that starts asks the other members before its replicas take part: what it has promised them. A directory
/// that is an older copy, or on a disk that lost what it had synced, is whole in itself: only others can tell that votes
/// and acknowledgements are missing in it. Who doesn't answer in time is not waited for, and who was restarted meanwhile
/// remembers less.
final class Recollection {
  private unowned let node: Node
  private var waiting: Set<NodeID>
  private var remembered: [GroupID: [ReplicaID: (promise: Promise, by: NodeID)]] = [:]
  private let done: (Recollection) -> Void

  /// - Parameter done: called once all have answered, or their time is over.
  init(_ node: Node, of members: [NodeID], done: @escaping (Recollection) -> Void) {
    self.node = node
    self.done = done
    waiting = Set(members)
  }

  /// Asks.
  func begin() {
    let deadline = node.now.advanced(milliseconds: Limits.recallMilliseconds)
    for member in waiting.sorted() {
      node.call(member, .with { $0.recall = WireRecallRequest() }, deadline: deadline) { [self] result in
        if case .answered(.recall(let answer)) = result { take(answer, from: member) }
        waiting.remove(member)
        if waiting.isEmpty { done(self) }
      }
    }
  }

  private func take(_ answer: WireRecallResponse, from member: NodeID) {
    for told in answer.promises {
      let (group, replica) = (GroupID(rawValue: told.group), ReplicaID(rawValue: told.replica))
      let promise = Promise(term: Term(rawValue: told.term), index: LogIndex(rawValue: told.index))
      guard replica.node == node.id else { continue }
      let known = remembered[group]?[replica]?.promise
      let whole = known?.and(promise) ?? promise
      if whole != known { remembered[group, default: [:]][replica] = (whole, member) }
    }
  }

  /// The groups of which others remember a replica of this node.
  var groups: [GroupID] { remembered.keys.sorted() }

  /// The newest replica of a group that others remember.
  func replica(of group: GroupID) -> ReplicaID? { remembered[group]?.keys.max { $0.incarnation < $1.incarnation } }

  /// That one, or another if it is newer still.
  func newest(of group: GroupID, or replica: ReplicaID) -> ReplicaID {
    guard let known = self.replica(of: group), known.incarnation > replica.incarnation else { return replica }
    return known
  }

  /// What of a replica is forgotten, in words; nil where all that others remember is there.
  /// - Parameters:
  ///   - point: where its state in files ends.
  ///   - recovered: what the log has of it.
  func loss(of group: GroupID, _ replica: ReplicaID, after point: SnapshotHeader?, _ recovered: RecoveredGroup?)
    -> String?
  {
    let newer = newest(of: group, or: replica)
    guard newer == replica else {
      return "node \(remembered[group]?[newer]?.by ?? node.id) knows a newer replica of this node, \(newer)"
        + Self.reason
    }
    guard let (promise, member) = remembered[group]?[replica] else { return nil }
    let last = max(point?.index ?? .zero, recovered?.entries.last?.index ?? .zero)
    let term = max(recovered?.hardState.term ?? .zero, recovered?.entries.last?.term ?? .zero, point?.term ?? .zero)
    if last < promise.index {
      return "node \(member) has its acknowledgement of entry \(promise.index), and its log ends with \(last)"
        + Self.reason
    }
    if term < promise.term {
      return "node \(member) has its word of term \(promise.term), and its log knows none above \(term)" + Self.reason
    }
    return nil
  }

  private static let reason = ": the directory is an older copy, or its disk has lost what was synced"
}

/// What a node hears of a replica of the catalog that the other members count in place of the one it has. For a moment
/// that is how a replacement begins; for long, the node was started from an older copy of its directory when nobody was
/// there to tell, and is of no use to anybody.
struct Supplanting {
  private var begun: Moment?

  /// Notes a message for the newer replica; says whether such ones have come for too long.
  mutating func note(at now: Moment) -> Bool {
    let begun = begun ?? now
    self.begun = begun
    return now.milliseconds(since: begun) >= Limits.supplantingMilliseconds
  }

  /// The node has the replica that is counted.
  mutating func end() { begun = nil }
}

extension Node {
  /// Notes a message for a replica that isn't here.
  func noteStray(_ incoming: GroupMessage) {
    guard incoming.group == .catalog, let present = replicas[.catalog]?.id, incoming.message.to.node == id,
      incoming.message.to.incarnation > present.incarnation, supplanting.note(at: now)
    else { return }
    host.fatal(
      "the other members count replica \(incoming.message.to) of the catalog here, and this directory has "
        + "\(present): it is an older copy; started again, the node asks the others and gets new replicas")
  }

  /// What the replicas of a node that asks have promised those here.
  func recall(for caller: Caller) -> WireResponse.OneOf_Body {
    guard case .node(let member) = caller else {
      return WireFailure.because(.refused, "only nodes may ask this")
    }
    var answer = WireRecallResponse()
    for group in order {
      guard let core = replicas[group]?.core else { continue }
      for replica in core.membership.members where replica.node == member {
        // That it votes is known even to one that has heard nothing of it since it started itself: it was there once.
        let mere = core.membership.isVoter(replica) ? Promise(term: .zero, index: .zero) : nil
        guard let promise = core.promise(of: replica) ?? mere else { continue }
        answer.promises.append(
          .with {
            $0.group = group.rawValue
            $0.replica = replica.rawValue
            $0.term = promise.term.rawValue
            $0.index = promise.index.rawValue
          })
      }
    }
    return .recall(answer)
  }
}
