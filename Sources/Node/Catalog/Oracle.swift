import Bytes

/// Hands out versions on the catalog's leader: unique, ascending, and never above a ceiling that the catalog's log
/// holds, so that a successor, which starts above the ceiling, can't repeat or undercut one (DESIGN §6).
///
/// A pure state machine: the caller says what time it is, holds the lease, and carries ceilings to the log.
struct Oracle {
  /// How far above the wall clock a new ceiling is put.
  static let ceilingLeadMilliseconds: UInt64 = 3_000

  /// The last version given out, or the ceiling that was found at the start.
  private(set) var last: Version
  /// No version above this one is given out.
  private(set) var ceiling: Version
  /// The ceiling that was proposed and is not yet in the catalog.
  private(set) var proposed: Version?

  /// An oracle that takes over: it starts above everything that a predecessor may have given out.
  init(ceiling: Version) {
    self.last = ceiling
    self.ceiling = ceiling
  }

  /// Takes note of a version that a member knows, and says whether it lies above all that the catalog's log knew of. It
  /// was given out then by an oracle that the log has forgotten, as where it was put back from an older copy; what is
  /// given out from here on lies above it all the same.
  mutating func heard(of version: Version) -> Bool {
    guard version > last else { return false }
    last = version
    return true
  }

  /// The last version given out, as a moment that a successor can't undercut; nil until the ceiling is raised.
  var latest: Version? { last <= ceiling ? last : nil }

  /// `count` successive versions (1 or more), the first of which is given back; nil until the ceiling is raised.
  mutating func take(_ count: UInt64, wallMilliseconds: UInt64) -> Version? {
    let first = max(last.advanced(by: 1), Version(milliseconds: wallMilliseconds))
    let end = first.advanced(by: count - 1)
    guard end <= ceiling else { return nil }
    last = end
    return first
  }

  /// The ceiling to propose now so that `count` versions fit, or nil while one is under way.
  mutating func raise(for count: UInt64, wallMilliseconds: UInt64) -> Version? {
    guard proposed == nil else { return nil }
    let wanted = max(
      Version(milliseconds: wallMilliseconds + Oracle.ceilingLeadMilliseconds),
      last.advanced(by: count + 1 << Version.counterBits))
    proposed = wanted
    return wanted
  }

  /// The catalog's log has applied a ceiling.
  mutating func raised(to ceiling: Version) {
    self.ceiling = max(self.ceiling, ceiling)
    if let proposed, proposed <= self.ceiling { self.proposed = nil }
  }

  /// The proposal of a ceiling failed; another may be made.
  mutating func raiseFailed() { proposed = nil }
}
