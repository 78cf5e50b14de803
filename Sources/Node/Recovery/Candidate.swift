import Bytes
import HashRing
import Log
import Raft
import Store
import Wire

extension Recovery {
  /// What one directory has of a group, and whether the cluster can go on with it.
  struct Candidate {
    let opened: OpenedDirectory
    let group: GroupID
    /// Nil where there is none, or none that can be read.
    let replica: ReplicaID?
    /// Where the files stand, and the membership there.
    let point: SnapshotHeader
    /// What the log has behind that.
    let entries: [LogEntry]
    private(set) var obstacle: String?
    /// What its log lost, where the cluster shall go on with the rest.
    private(set) var loss: String?
    /// Whether there is nothing of it, as against something that can't be used.
    let isAbsent: Bool

    private init(_ opened: OpenedDirectory, _ group: GroupID, obstacle: String, isAbsent: Bool = false) {
      (self.opened, self.group, self.isAbsent) = (opened, group, isAbsent)
      self.obstacle = "\(Recovery.name(group)): \(obstacle)"
      replica = nil
      point = SnapshotHeader(index: .zero, term: .zero, membership: Membership())
      entries = []
    }

    private init(
      _ opened: OpenedDirectory, _ group: GroupID, _ replica: ReplicaID, _ point: SnapshotHeader, acceptsLoss: Bool
    ) {
      self.opened = opened
      self.group = group
      self.replica = replica
      self.point = point
      isAbsent = false
      var obstacle = opened.loss(of: group, after: point)
      let entries = Recovery.entries(opened.recovered[group], after: point)
      if entries == nil { obstacle = obstacle ?? "its log does not go on from its files" }
      self.entries = entries ?? []
      if acceptsLoss, let lost = obstacle {
        loss = "\(Recovery.name(group)): \(lost)"
        obstacle = nil
      }
      if Candidate.membership(point, self.entries).voters.isEmpty {
        obstacle = obstacle ?? "the replica was never filled"
      }
      self.obstacle = obstacle.map { "\(Recovery.name(group)): \($0)" }
    }

    /// What a directory has of the catalog.
    static func catalog(in opened: OpenedDirectory, acceptsLoss: Bool) -> Candidate? {
      guard let (_, point) = opened.catalog else { return nil }
      let incarnation = max(1, opened.identity.stored.catalogIncarnation)
      let replica = ReplicaID(node: opened.identity.nodeID, incarnation: incarnation)
      return Candidate(opened, .catalog, replica, point, acceptsLoss: acceptsLoss)
    }

    /// What a directory has of a partition.
    static func partition(_ group: GroupID, in opened: OpenedDirectory, acceptsLoss: Bool) -> Candidate {
      switch opened.stores.first(where: { $0.group == group })?.store {
      case .success(let store)?:
        do {
          let (state, point) = try PartitionState.read(store.flushedState)
          return Candidate(opened, group, state.replica, point, acceptsLoss: acceptsLoss)
        } catch {
          return Candidate(opened, group, obstacle: "its manifest holds no partition's state: \(error)")
        }
      case .failure(let error)?: return Candidate(opened, group, obstacle: "\(error)")
      case nil:
        return Candidate(opened, group, obstacle: "node \(opened.identity.nodeID) has no replica of it", isAbsent: true)
      }
    }

    /// The last entry. Of two replicas that which would be elected has what any majority acknowledged, and all that the
    /// other knows to be committed (Raft paper, §5.4).
    var last: (term: Term, index: LogIndex) {
      (entries.last?.term ?? point.term, entries.last?.index ?? point.index)
    }
    /// How far its log is known to be committed.
    var commit: LogIndex { max(opened.recovered[group]?.hardState.commit ?? .zero, point.index) }
    var membership: Membership { Candidate.membership(point, entries) }

    private static func membership(_ point: SnapshotHeader, _ entries: [LogEntry]) -> Membership {
      var membership = point.membership
      for entry in entries where entry.kind == .membership {
        guard let change = try? MembershipChange(payload: entry.payload) else { continue }
        membership = (try? membership.applying(change)) ?? membership
      }
      return membership
    }

    /// Whether it is of the directory of that replica's node, and the replica the only member already.
    func hasAlone(_ replica: ReplicaID) -> Bool {
      opened.identity.nodeID == replica.node && membership == Membership(voters: [replica])
    }

    /// Whether its log holds a split that its files don't: only on its own node is that carried out.
    var hasOpenSplit: Bool {
      entries.contains { $0.kind == .command && SplitCommand.isOne($0.payload) }
    }

    /// The same, as if there were nothing of it.
    var absent: Candidate {
      Candidate(opened, group, obstacle: "nothing is left of it on node \(opened.identity.nodeID)", isAbsent: true)
    }

    /// The same, of which tables are damaged: the cluster goes on with it only where it accepts that.
    func damaged(_ words: String, acceptsLoss: Bool) -> Candidate {
      guard acceptsLoss else { return refused(words) }
      var damaged = self
      damaged.loss = "\(Recovery.name(group)): \(words)"
      return damaged
    }

    /// The same, which another node can't go on with.
    func refused(_ words: String) -> Candidate {
      var refused = self
      refused.obstacle = "\(Recovery.name(group)): \(words)"
      return refused
    }

    /// What has its last entry furthest, of those that can go on and have lost nothing, or else of all that can go on; of
    /// several the first. Where none can, the first at all. There must be one.
    static func best(of candidates: [Candidate]) -> Candidate {
      let able = candidates.filter { $0.obstacle == nil }
      let sound = able.filter { $0.loss == nil }
      var best: Candidate?
      for candidate in sound.isEmpty ? able : sound {
        if best.map({ $0.last < candidate.last }) ?? true { best = candidate }
      }
      return best ?? candidates[0]
    }

    /// What makes a replica of a node its group's only member: entries behind those of the log, as if they had been
    /// committed. Where the replica is another than that of the directory, or has lost something, its log begins anew where
    /// the files stand.
    func write(for replica: ReplicaID, above term: Term) -> LogWrite {
      let term = Term(rawValue: max(term, last.term).rawValue + 1)
      var write = LogWrite(group: group)
      let isAnothers = replica != self.replica || group == .catalog && opened.identity.nodeID != replica.node
      if isAnothers || loss != nil {
        write.reset = LogPoint(index: point.index, term: point.term)
        write.entries = entries
      }
      func append(_ change: MembershipChange) {
        let index = write.entries.last?.index ?? last.index
        write.entries.append(LogEntry(term: term, index: index.next, kind: .membership, payload: change.payload))
      }
      if membership.isJoint { append(.leaveJoint) }
      let others = membership.members.filter { $0 != replica }.map(MembershipChange.Step.remove)
      append(.joint([.addVoter(replica)] + others, autoLeave: false))
      append(.leaveJoint)
      write.hardState = StoredHardState(term: term, commit: write.entries.last?.index ?? last.index)
      return write
    }
  }
}
