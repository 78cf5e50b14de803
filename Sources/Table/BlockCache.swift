import Bytes
import Synchronization

/// Something that the cache holds.
///
/// SAFETY: what inherits from it never changes once it is in the cache; hence Sendable.
class Cached: @unchecked Sendable {
  /// The bytes that it takes in memory, about.
  var cost: Int { 0 }
  /// The bytes of it that a reader looks at first, if it helps to say so; valid as long as the object is.
  var searchedFirst: UnsafeRawBufferPointer? { nil }
}

/// The blocks, and the indexes and filters of history's runs, that a node keeps in memory, for all of its tables: a byte
/// budget, and the clock algorithm (second chance) to stay within it. A block enters without the mark that a hit sets, so a
/// scan evicts what it brought in before what is read again.
public final class BlockCache: Sendable {
  private let shards: [Shard]

  /// A cache of at most about `byteBudget` bytes.
  public init(byteBudget: Int) {
    let count = byteBudget >= 64 << 20 ? 8 : 1
    shards = (0..<count).map { _ in Shard(byteBudget: max(0, byteBudget) / count) }
  }

  /// The bytes held now.
  public var byteCount: Int { shards.reduce(0) { $0 + $1.byteCount } }

  /// A number for a table, by which its blocks are found; never given out twice.
  static func nextTableID() -> UInt64 {
    lastTableID.add(1, ordering: .relaxed).newValue
  }

  private static let lastTableID = Atomic<UInt64>(0)

  private func shard(_ hash: UInt64) -> Shard { shards[Int(hash >> 56) & (shards.count - 1)] }

  /// What is held of a table at an offset.
  func find(table: UInt64, offset: UInt64) -> Cached? {
    let hash = BlockCacheMap.hash(table, offset)
    return shard(hash).map.withLock { $0.find(hash, table, offset) }
  }

  /// Keeps an object, unless it alone would take a large part of the budget.
  func insert(_ block: Cached, table: UInt64, offset: UInt64) {
    let hash = BlockCacheMap.hash(table, offset)
    // What is evicted is freed after the lock is released.
    let evicted = shard(hash).map.withLock { $0.insert(hash, table, offset, block) }
    _ = consume evicted
  }

  /// The bytes that fit without anything having to go.
  var room: Int { shards.reduce(0) { $0 + $1.map.withLock { $0.room } } }

  /// Keeps an object if nothing has to go for it.
  func admit(_ block: Cached, table: UInt64, offset: UInt64) {
    let hash = BlockCacheMap.hash(table, offset)
    shard(hash).map.withLock { map in
      if block.cost <= map.room { _ = map.insert(hash, table, offset, block) }
    }
  }

  /// Lets go of what is held of tables that nobody reads any more. Looks at all that is held: for a worker thread.
  public func forget(_ tables: Set<UInt64>) {
    guard !tables.isEmpty else { return }
    for shard in shards {
      let gone = shard.map.withLock { $0.forget(tables) }
      _ = consume gone
    }
  }

  /// A part of the cache with a lock of its own.
  private final class Shard: Sendable {
    let map: Mutex<BlockCacheMap>

    init(byteBudget: Int) {
      map = Mutex(BlockCacheMap(byteBudget: byteBudget))
    }

    var byteCount: Int { map.withLock { $0.byteCount } }
  }
}
