public import Bytes

/// What a replica must remember of its own (Raft paper, figure 2, "persistent state"), and how far it knew its group
/// to have committed.
public struct StoredHardState: Equatable, Sendable {
  /// The newest term seen.
  public var term: Term
  /// Whom the replica voted for in that term; `.none` for nobody.
  public var vote: ReplicaID
  /// The last entry known to be committed.
  public var commit: LogIndex

  /// A hard state of these parts; the parts of a new replica unless given.
  public init(term: Term = .zero, vote: ReplicaID = .none, commit: LogIndex = .zero) {
    self.term = term
    self.vote = vote
    self.commit = commit
  }
}

/// A place in a group's log: an index and the term of the entry there.
public struct LogPoint: Equatable, Sendable {
  /// Before the first entry.
  public static let start = LogPoint(index: .zero, term: .zero)
  /// The index.
  public var index: LogIndex
  /// The term of the entry at that index.
  public var term: Term

  /// A point of these parts.
  public init(index: LogIndex, term: Term) {
    self.index = index
    self.term = term
  }
}

/// What is to be written for one group, in this order: `reset`, `entries`, `hardState`, `compactedThrough`, `removed`.
public struct LogWrite: Sendable {
  /// The group.
  public var group: GroupID
  /// The new hard state, or nil if it has not changed. A commit beyond the last entry counts as that entry's index.
  public var hardState: StoredHardState?
  /// New entries with consecutive indices, the first at most one after the group's last and after what is compacted.
  /// What the log held from that index on is void.
  public var entries: [LogEntry]
  /// After a snapshot was installed: the group's log starts anew after this point, all its entries are void. Together
  /// with a `hardState` it also ends the group's damage: nothing that was lost matters any more.
  public var reset: LogPoint?
  /// Entries up to here are no longer needed.
  public var compactedThrough: LogIndex?
  /// Whether the entries take the place of the same ones, which may have been acknowledged: then a crash must leave these
  /// or those, so that all of them go into one frame, however large a segment that takes.
  public var isRepetition = false
  /// The group left this node for good: everything of it is void.
  public var removed: Bool

  /// A write of these parts.
  public init(
    group: GroupID, hardState: StoredHardState? = nil, entries: [LogEntry] = [], reset: LogPoint? = nil,
    compactedThrough: LogIndex? = nil, removed: Bool = false
  ) {
    self.group = group
    self.hardState = hardState
    self.entries = entries
    self.reset = reset
    self.compactedThrough = compactedThrough
    self.removed = removed
  }

  /// Whether there is nothing to write.
  var isEmpty: Bool {
    hardState == nil && entries.isEmpty && reset == nil && compactedThrough == nil && !removed
  }
}
