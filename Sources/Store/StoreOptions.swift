public import Table

/// How a store is laid out in memory and on disk. May differ from one opening to the next.
public struct StoreOptions: Sendable {
  /// The memtable's size at which it wants to be flushed.
  public var memtableBytes = 8 << 20
  /// The part of `memtableBytes` at which the first memtable after opening wants to be flushed: stores that are filled
  /// at one rate and differ in it are not all flushed at the same moment.
  public var firstMemtableShare = 1.0
  /// The layout of new tables.
  public var table = TableOptions()
  /// The tables in level 0 at which they are merged into level 1.
  public var level0Files = 4
  /// The bytes that level 1 holds before it spills into level 2.
  public var levelBaseBytes = 32 << 20
  /// How many times as much each deeper level holds.
  public var levelRatio = 10
  /// The size at which a compaction begins another output, at the next key.
  public var targetFileBytes = 16 << 20
  /// The bytes of history that a job collects before it writes them as a table.
  public var historyBufferBytes = 16 << 20
  /// The bytes below which neighbouring buckets of history share a run.
  public var historyRunBytes = 64 << 10
  /// The tables over one key, in a level of history, at which that level is merged.
  public var historyFanIn = 8
  /// The bytes of a run of history from which on it is not merged again, if its bucket is complete.
  public var settledRunBytes = 512 << 10
  /// The size of a manifest above which it is written anew, if it has also grown to four times its first edit.
  public var manifestBytes = 256 << 10

  /// The defaults.
  public init() {}

  /// The levels of the current tier: 0 for what was flushed, and up to 6 deeper ones.
  static let levels = 7
  /// The levels of history: 0 for what left the current tier, 1 to 6 for what was merged so many times, and one for what
  /// will not be merged again.
  static let historyLevels = 8
  /// The last level of history.
  static let settledLevel = historyLevels - 1

  /// The bytes that a level from 1 on may hold. The last one holds everything.
  func capacity(ofLevel level: Int) -> UInt64 {
    guard level < Self.levels - 1 else { return .max }
    var capacity = UInt64(levelBaseBytes)
    for _ in 1..<max(1, level) {
      let (product, overflow) = capacity.multipliedReportingOverflow(by: UInt64(levelRatio))
      capacity = overflow ? .max : product
    }
    return capacity
  }
}
