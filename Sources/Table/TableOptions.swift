/// How a table is laid out. Readers need none of it: everything that matters is in the file.
public struct TableOptions: Sendable {
  /// The payload bytes at which a data or index block ends; a record that takes more gets a block of its own.
  public var blockBytes: Int
  /// The most entries from one full key to the next: 1 to 64. Large ones have fewer.
  public var restartInterval: Int
  /// The filter's bits for each key; 0 for no filter.
  public var bloomBitsPerKey: Int

  /// Options; the defaults suit a mixture of point reads and scans.
  public init(blockBytes: Int = 16 << 10, restartInterval: Int = 8, bloomBitsPerKey: Int = 10) {
    precondition((1...TableFormat.maximumRestartInterval).contains(restartInterval))
    precondition(blockBytes > 0 && bloomBitsPerKey >= 0)
    self.blockBytes = blockBytes
    self.restartInterval = restartInterval
    self.bloomBitsPerKey = bloomBitsPerKey
  }
}
