import Bytes
import HashRing
import Log
import Raft
import Wire

// What the log says beyond the files, and what is to be added to it.
extension Recovery {
  /// The entries that the log has behind a point which the files hold.
  private static func entries(_ recovered: RecoveredGroup?, after point: SnapshotHeader) -> [LogEntry]? {
    guard let recovered else { return [] }
    let follows =
      recovered.entries.first { $0.index == point.index }.map { $0.term == point.term }
      ?? (recovered.compactedThrough == point.index)
    return follows ? recovered.entries.filter { $0.index > point.index } : nil
  }

  /// The catalog after every entry of the log, also of those that are not known to be committed: nobody is left to say
  /// that they are not.
  static func replayed(_ saved: Catalog, _ recovered: RecoveredGroup?, after point: SnapshotHeader) -> Catalog {
    var catalog = saved
    for entry in entries(recovered, after: point) ?? [] where entry.kind == .command && !entry.payload.isEmpty {
      // A refused command changes nothing, there as here.
      if let command = WireCatalogCommand(untrusted: entry.payload) { try? catalog.apply(command) }
    }
    return catalog
  }

  static func missing(_ group: GroupID, _ words: String) -> Group {
    Group(
      group: group, replica: nil, last: .zero, term: .zero, commit: .zero, members: [],
      obstacle: "\(name(group)): \(words)", isAlone: false)
  }

  static func name(_ group: GroupID) -> String { group == .catalog ? "the catalog" : "partition \(group)" }

  /// Looks at a group, and adds what makes a replica its only member.
  static func add(
    _ group: GroupID, _ replica: ReplicaID, _ point: SnapshotHeader, _ opened: OpenedDirectory,
    to groups: inout [Group], _ writes: inout [LogWrite]
  ) {
    let recovered = opened.recovered[group]
    var obstacle = opened.loss(of: group, after: point)
    let entries = entries(recovered, after: point)
    if entries == nil { obstacle = obstacle ?? "its log does not go on from its files" }
    var membership = point.membership
    for entry in entries ?? [] where entry.kind == .membership {
      guard let change = try? MembershipChange(payload: entry.payload) else { continue }
      membership = (try? membership.applying(change)) ?? membership
    }
    if membership.voters.isEmpty { obstacle = obstacle ?? "the replica was never filled" }
    let last = (index: entries?.last?.index ?? point.index, term: entries?.last?.term ?? point.term)
    let isAlone = membership == Membership(voters: [replica])
    groups.append(
      Group(
        group: group, replica: replica, last: last.index, term: last.term,
        commit: max(recovered?.hardState.commit ?? .zero, point.index), members: membership.members.map(\.node),
        obstacle: obstacle.map { "\(name(group)): \($0)" }, isAlone: isAlone))
    guard obstacle == nil, !isAlone else { return }
    let term = Term(rawValue: max(recovered?.hardState.term ?? .zero, last.term).rawValue + 1)
    var write = LogWrite(group: group)
    func append(_ change: MembershipChange) {
      write.entries.append(
        LogEntry(
          term: term, index: write.entries.last?.index.next ?? last.index.next, kind: .membership,
          payload: change.payload))
    }
    if membership.isJoint { append(.leaveJoint) }
    let others = membership.members.filter { $0 != replica }.map(MembershipChange.Step.remove)
    append(.joint([.addVoter(replica)] + others, autoLeave: false))
    append(.leaveJoint)
    write.hardState = StoredHardState(term: term, commit: write.entries.last?.index ?? last.index)
    writes.append(write)
  }

  /// Adds to the catalog's entries the one that strikes the lost nodes out.
  static func withRecord(_ writes: [LogWrite], lost: [NodeID], node: NodeID, time: UInt64) -> [LogWrite] {
    var writes = writes
    guard !lost.isEmpty, let place = writes.firstIndex(where: { $0.group == .catalog }),
      let last = writes[place].entries.last
    else { return writes }
    let command = WireCatalogCommand.with {
      $0.recover = .with {
        $0.timeMs = time
        $0.survivor = node.rawValue
        $0.lost = lost.map(\.rawValue)
      }
    }
    writes[place].entries.append(LogEntry(term: last.term, index: last.index.next, payload: command.encoded))
    writes[place].hardState?.commit = last.index.next
    return writes
  }
}
