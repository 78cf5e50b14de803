/// Every bound of the system, by name. What arrives from outside is refused at these sizes; every queue, frame and
/// loop inside stops at one of them.
public enum Limits {
  /// The longest key that is stored.
  public static let keyBytes = ByteCount.kibibytes(4)
  /// The largest value that is stored.
  public static let valueBytes = ByteCount.mebibytes(8)
  /// The most writes that are made together, in one partition.
  public static let atomicWrites = 10_000
  /// The most bytes of their keys and values: those of the largest single write.
  public static let atomicBytes = ByteCount.bytes(keyBytes.rawValue + valueBytes.rawValue)
  /// The largest frame on a connection: a value of full size, its key and the message around them.
  public static let frameBytes = ByteCount.mebibytes(16)
  /// The largest payload of one log entry.
  public static let entryBytes = ByteCount.mebibytes(12)
  /// The most partitions that one cluster has.
  public static let partitions = 4096
  /// The most nodes that one cluster has: each is a member of the catalog's Raft group, which takes so many.
  public static let nodes = 64
  /// How many nodes vote in the catalog, of so many that stay: five where there are so many, else three, else all. Five
  /// outlive two of their nodes, and a change waits for no more than three of them.
  public static func catalogVoters(ofNodes count: Int) -> Int { count >= 5 ? 5 : min(3, count) }
  /// The longest name of a zone, in bytes.
  public static let zoneBytes = 100
  /// The greatest weight of a node.
  public static let weight: UInt32 = 1_000_000
}
