public import Bytes

/// What a log held when it was opened.
public struct RecoveredLog: Sendable {
  /// The groups, by number.
  public var groups: [(GroupID, RecoveredGroup)]
  /// What could not be read, in the order of the log. Nothing of it was changed on the disk.
  public var damage: [LogDamage]

  /// A log that held these groups and this damage.
  public init(groups: [(GroupID, RecoveredGroup)], damage: [LogDamage]) {
    self.groups = groups
    self.damage = damage
  }
}

/// What a log held of one group.
public struct RecoveredGroup: Equatable, Sendable {
  /// How far what follows can be believed.
  public enum Health: Equatable, Sendable {
    /// Everything that was ever acknowledged is here.
    case intact
    /// Something of the log was lost after this group's last record, and may have been this group's.
    case suspect
    /// Something of this group was lost. What is here was written, but a vote, a term or entries may be missing. The
    /// replica must neither vote nor count as holding anything until it is repaired from its peers.
    case damaged
  }

  /// How far the rest can be believed.
  public var health: Health
  /// The newest hard state found. Its commit is not beyond the last entry.
  public var hardState: StoredHardState
  /// The point after which the group's log began: the last `reset`, or the start.
  public var reset: LogPoint
  /// The last `compactedThrough`, or the reset point; `entries` starts after it.
  public var compactedThrough: LogIndex
  /// The entries after `compactedThrough`, without a gap; where health is damaged, those before the first gap.
  public var entries: [LogEntry]

  /// A group of which a log held this.
  public init(
    health: Health, hardState: StoredHardState, reset: LogPoint, compactedThrough: LogIndex, entries: [LogEntry]
  ) {
    self.health = health
    self.hardState = hardState
    self.reset = reset
    self.compactedThrough = compactedThrough
    self.entries = entries
  }
}

/// Bytes of the log that could not be read though they were durable once, or a segment that is missing.
public struct LogDamage: Equatable, Sendable, CustomStringConvertible {
  /// A group of which something was lost, or may have been.
  public struct Affected: Equatable, Sendable {
    /// The group.
    public let group: GroupID
    /// The entries that were lost, where that is known.
    public let entries: ClosedRange<LogIndex>?
    /// Whether the loss is certain.
    public let isCertain: Bool

    /// A group that is affected in this way.
    public init(group: GroupID, entries: ClosedRange<LogIndex>?, isCertain: Bool) {
      self.group = group
      self.entries = entries
      self.isCertain = isCertain
    }
  }

  /// The file.
  public let path: String
  /// Where in the file the damage begins, in bytes.
  public let offset: Int
  /// What should have been there.
  public let expected: String
  /// What was there.
  public let found: String
  /// The groups of which something was lost here or may have been, by number. Groups whose every record was lost
  /// can't be named; `mayHideGroups` then.
  public internal(set) var affected: [Affected]
  /// Whether records were lost whose groups are not known.
  public let mayHideGroups: Bool

  public var description: String {
    let suffix = affected.isEmpty ? "" : "; affects " + groups.joined(separator: ", ")
    return "\(path): damaged at byte \(offset): expected \(expected), found \(found)\(suffix)"
  }

  /// The groups in words, those that follow one another as one where the same is said of them.
  private var groups: [String] {
    var words: [String] = []
    var rest = affected[...]
    while let first = rest.popFirst() {
      var last = first.group
      while let next = rest.first, next.isCertain == first.isCertain, next.entries == nil, first.entries == nil,
        next.group.rawValue == last.rawValue + 1
      {
        last = next.group
        rest.removeFirst()
      }
      let certainty = first.isCertain ? "" : "perhaps "
      let entries = first.entries.map { " entries \($0.lowerBound) to \($0.upperBound)" } ?? ""
      words.append(
        last == first.group ? "\(certainty)group \(last)\(entries)" : "\(certainty)groups \(first.group) to \(last)")
    }
    return words
  }
}
