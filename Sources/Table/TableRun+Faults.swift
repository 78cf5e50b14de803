public import Bytes

/// A data block that can't be read, and which records it would hold.
public struct BlockFault: Sendable {
  /// What is wrong with it, and where in the file.
  public let error: TableError
  /// The records have keys from this one on; nil in a run's first block.
  public let after: Key?
  /// And none beyond this one.
  public let through: Key
}

extension TableRun {
  /// Reads every data block and gives those that can't be read, in order. Blocking. What the cache holds is not looked
  /// at where the table was opened with one that holds nothing.
  public func faults() throws(TableError) -> [BlockFault] {
    let blocks = try index(caching: false).index
    var faults: [BlockFault] = []
    for number in 0..<blocks.count {
      do throws(TableError) {
        _ = try Block(blocks.handle(number), type: .data, tier: storage.tier, of: storage.file)
      } catch {
        faults.append(
          BlockFault(
            error: error, after: number > 0 ? blocks.separator(number - 1) : nil, through: blocks.separator(number)))
      }
    }
    return faults
  }
}
