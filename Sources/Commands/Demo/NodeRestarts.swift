/// When a node of a demo that has ended is started again: a second later, unless it keeps ending as soon as it runs, or
/// has left the cluster.
struct NodeRestarts {
  /// How long after its end a node is started again, in milliseconds.
  static let pauseMilliseconds: UInt64 = 1000
  /// A node that runs no longer than this, in milliseconds, has ended soon.
  static let soonMilliseconds: UInt64 = 5000
  /// How many times in a row a node may end soon before it is given up.
  static let mostSoonEnds = 3

  static let never = UInt64.max

  private var startedAt: UInt64
  private var soonEnds = 0
  /// When it is to be started again, `never` if it isn't; nil while it runs.
  private(set) var dueAt: UInt64?

  /// A node that was started at this time, in milliseconds of the steady clock.
  init(startedAt now: UInt64) {
    startedAt = now
  }

  /// The node has ended; false if that was once too often. One that has left may stay away.
  mutating func ended(at now: UInt64, hasLeft: Bool) -> Bool {
    guard !hasLeft else {
      dueAt = NodeRestarts.never
      return true
    }
    soonEnds = now - startedAt <= NodeRestarts.soonMilliseconds ? soonEnds + 1 : 0
    guard soonEnds < NodeRestarts.mostSoonEnds else { return false }
    dueAt = now + NodeRestarts.pauseMilliseconds
    return true
  }

  /// The node was started again.
  mutating func started(at now: UInt64) {
    (startedAt, dueAt) = (now, nil)
  }
}
