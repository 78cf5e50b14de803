import Bytes
import Environment

/// The reads of several parts that are under way through a node, so that the floor stays below the versions which they
/// read at (DESIGN §6).
///
/// Nothing else is kept of a range between two parts: its version is held from one to the next, for a while.
struct HeldReads {
  private var ends: [Version: Moment] = [:]
  /// No read of an older version may begin, until the promise ends.
  private var promised = (floor: Version.zero, end: Moment(rawValue: 0))

  /// Whether a part may be read at a version: always, unless the floor is about to be raised above it and no part
  /// before this one was read here.
  func admits(_ version: Version, now: Moment) -> Bool {
    version >= promised.floor || now >= promised.end || ends[version] != nil
  }

  /// A part was read at a version, and more is to come or not.
  mutating func wasRead(at version: Version, isLast: Bool, now: Moment) {
    if isLast {
      ends[version] = nil
    } else if ends.count < Limits.heldReads || ends[version] != nil {
      ends[version] = now.advanced(milliseconds: Limits.heldReadMilliseconds)
    }
  }

  /// Promises that no read of a version below `floor` begins for a while, and gives the oldest version below it that
  /// is being read.
  mutating func promise(_ floor: Version, now: Moment) -> Version? {
    ends = ends.filter { $0.value > now }
    promised = (max(floor, promised.floor), now.advanced(milliseconds: Limits.floorPromiseMilliseconds))
    return ends.keys.filter { $0 < floor }.min()
  }
}
