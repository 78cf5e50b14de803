/// What a node has done since it started. Counted on the node's thread; read there.
public struct NodeCounters: Sendable {
  /// How long batches took from when they were given to the log until they were durable, in nanoseconds.
  public internal(set) var logWrite = Histogram()
  /// How many entries a batch of the log had, of all groups.
  public internal(set) var batchEntries = Histogram()
  /// The bytes of the entries' payloads written to the log.
  public internal(set) var loggedBytes: UInt64 = 0
  /// How often a replica here became its group's leader.
  public internal(set) var electionsWon: UInt64 = 0
  /// The messages of consensus that were sent: heartbeats, entries, votes, and the answers to them.
  public internal(set) var consensusMessages: UInt64 = 0
  /// Flushes of memtables, and the bytes of the tables that they wrote.
  public internal(set) var flushes: UInt64 = 0
  public internal(set) var flushedBytes: UInt64 = 0
  /// Compactions, and the bytes of the tables that they wrote.
  public internal(set) var compactions: UInt64 = 0
  public internal(set) var compactedBytes: UInt64 = 0
}

/// How often values fell between powers of two.
public struct Histogram: Sendable, Equatable {
  /// How many values were at most 2 to the power of the place, and more than half of that.
  public private(set) var counts = [UInt64](repeating: 0, count: Histogram.places)
  /// The sum of all values.
  public private(set) var sum: UInt64 = 0
  /// The number of values.
  public private(set) var count: UInt64 = 0

  /// The number of places; larger values count in the last.
  public static let places = 40

  /// A histogram without values.
  public init() {}

  /// Counts a value.
  public mutating func record(_ value: UInt64) {
    let place = value <= 1 ? 0 : UInt64.bitWidth - (value - 1).leadingZeroBitCount
    counts[min(place, Histogram.places - 1)] += 1
    sum &+= value
    count += 1
  }
}
