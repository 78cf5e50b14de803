import Bytes
import Environment

/// Up to which version a replica knows every write of its partition, whether it leads or not (DESIGN §6).
///
/// What a leader says of a version and a log index stays true for ever, whoever leads later: no write at or below the
/// version will ever stand behind the index. So a replica that has applied the index answers reads at the version as
/// every other one does.
struct ClosedVersion {
  /// All writes up to here are applied.
  private(set) var version = Version.zero
  /// All writes that were acknowledged before this moment of this node's clock are applied; nil: not known.
  private(set) var asOf: Moment?
  /// What was said of indexes that are not applied yet, in the order of its arrival.
  private var coming: [Statement] = []

  private struct Statement {
    let index: LogIndex
    let version: Version
    let asOf: Moment
  }

  /// Takes in what a leader says in answer to a question that was sent at a moment; `applied` is the last entry applied.
  mutating func learned(_ version: Version, at index: LogIndex, asOf: Moment, applied: LogIndex) {
    if coming.count < Limits.comingVersions {
      coming.append(Statement(index: index, version: version, asOf: asOf))
    }
    self.applied(applied)
  }

  /// Entries up to this one are applied.
  mutating func applied(_ index: LogIndex) {
    guard !coming.isEmpty else { return }
    for statement in coming where statement.index <= index {
      version = max(version, statement.version)
      asOf = max(asOf ?? statement.asOf, statement.asOf)
    }
    coming.removeAll { $0.index <= index }
  }

  /// The replica itself leads, for certain, at a moment: nobody else can have acknowledged anything that it lacks.
  mutating func leads(at moment: Moment) { asOf = moment }
}
