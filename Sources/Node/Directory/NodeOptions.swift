public import Bytes
public import Log
public import Store

/// How a node lays out what it keeps on its disk and in memory. The defaults are those of the product; a simulator
/// makes all of it small, so that minutes see what takes a busy cluster days.
public struct NodeOptions: Sendable {
  /// The shared log's segments.
  public var log = LogOptions()
  /// The stores of the partitions.
  public var store: StoreOptions
  /// How large the log may grow before groups that write little are flushed for its sake.
  public var logBudget = Limits.logBudget
  /// How many bytes of its log a group keeps in memory for followers that lag.
  public var keptLogBytes = 2 << 20
  /// What a partition may hold before it is split without being asked; 0: none is, nor where there are few for the nodes.
  public var splitBytes = Limits.splitBytes
  /// The newest cluster format that the node says it supports; less than the release's to try an older one beside it.
  package var format = NodeDirectory.format
  /// How often the replicas of each partition are read and compared without being asked, in milliseconds; 0: never.
  public var checkMilliseconds: UInt64 = 86_400_000
  /// How long after a write the sums of a partition's replicas are compared at the latest, about, unless none are ever
  /// compared.
  public var sumCheckMilliseconds: UInt64 = 60_000

  /// The defaults. A node has many stores: small memtables keep their sum, and the log that they pin, small.
  public init() {
    store = StoreOptions()
    store.memtableBytes = 4 << 20
    store.levelBaseBytes = 16 << 20
    store.targetFileBytes = 8 << 20
  }
}
