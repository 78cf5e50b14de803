import Bytes

/// The blocks of one shard of the cache: slots in which the clock's hand goes round, and a chained hash table of
/// slot numbers.
///
/// SAFETY: `searchedFirst` is only prefetched from, and lies in the object that the same slot holds.
struct BlockCacheMap {
  private struct Slot {
    var table: UInt64
    var offset: UInt64
    var hash: UInt64
    /// nil in a free slot.
    var block: Cached?
    /// The part of the block that is asked for when it is found, so that it comes while the object itself does.
    var searchedFirst: UnsafeRawBufferPointer?
    var isReferenced: Bool
    /// The next slot of the same bucket, or of the free list; -1 at its end.
    var next: Int32
  }

  private let byteBudget: Int
  private(set) var byteCount = 0
  private var slots: [Slot] = []
  private var buckets: [Int32] = []
  private var free: Int32 = -1
  private var hand = 0

  init(byteBudget: Int) {
    self.byteBudget = byteBudget
  }

  /// The hash of a block's place.
  static func hash(_ table: UInt64, _ offset: UInt64) -> UInt64 {
    SplitMix64.mix(table &* 0x9e37_79b9_7f4a_7c15 ^ offset)
  }

  private func bucket(_ hash: UInt64) -> Int { Int(truncatingIfNeeded: hash) & (buckets.count - 1) }

  private func slot(_ hash: UInt64, _ table: UInt64, _ offset: UInt64) -> Int? {
    guard !buckets.isEmpty else { return nil }
    var at = buckets[bucket(hash)]
    while at >= 0 {
      let index = Int(at)
      if slots[index].offset == offset && slots[index].table == table { return index }
      at = slots[index].next
    }
    return nil
  }

  /// The block at a place; marks it as used.
  mutating func find(_ hash: UInt64, _ table: UInt64, _ offset: UInt64) -> Cached? {
    guard let index = slot(hash, table, offset) else { return nil }
    if let part = slots[index].searchedFirst, let start = part.baseAddress {
      Memory.prefetch(start, count: part.count)
    }
    slots[index].isReferenced = true
    return slots[index].block
  }

  /// Holds a block; gives the blocks that had to go for it.
  mutating func insert(_ hash: UInt64, _ table: UInt64, _ offset: UInt64, _ block: Cached) -> [Cached] {
    guard block.cost <= byteBudget / 4, slot(hash, table, offset) == nil else { return [] }
    var evicted: [Cached] = []
    while byteCount + block.cost > byteBudget, let victim = evictOne() { evicted.append(victim) }
    byteCount += block.cost
    let index: Int
    if free >= 0 {
      index = Int(free)
      free = slots[index].next
    } else {
      index = slots.count
      slots.append(Slot(table: 0, offset: 0, hash: 0, block: nil, searchedFirst: nil, isReferenced: false, next: -1))
      if slots.count > buckets.count { rehash() }
    }
    let bucket = bucket(hash)
    slots[index] = Slot(
      table: table, offset: offset, hash: hash, block: block, searchedFirst: block.searchedFirst,
      isReferenced: false, next: buckets[bucket])
    buckets[bucket] = Int32(index)
    return evicted
  }

  /// The bytes that fit without anything having to go.
  var room: Int { byteBudget - byteCount }

  /// Takes out what is held of some tables, and gives it.
  mutating func forget(_ tables: Set<UInt64>) -> [Cached] {
    var gone: [Cached] = []
    for index in slots.indices {
      guard slots[index].block != nil, tables.contains(slots[index].table), let block = take(index) else { continue }
      gone.append(block)
    }
    return gone
  }

  private mutating func rehash() {
    buckets = Array(repeating: -1, count: max(16, buckets.count * 2))
    for index in slots.indices where slots[index].block != nil {
      let bucket = bucket(slots[index].hash)
      slots[index].next = buckets[bucket]
      buckets[bucket] = Int32(index)
    }
  }

  /// Moves the hand to the next block that wasn't used since it last came by, and takes that out.
  private mutating func evictOne() -> Cached? {
    guard byteCount > 0 else { return nil }
    while true {
      let index = hand
      hand = hand + 1 < slots.count ? hand + 1 : 0
      guard slots[index].block != nil else { continue }
      if slots[index].isReferenced {
        slots[index].isReferenced = false
        continue
      }
      return take(index)
    }
  }

  /// Empties a slot; gives what it held.
  private mutating func take(_ index: Int) -> Cached? {
    guard let block = slots[index].block else { return nil }
    unlink(index)
    byteCount -= block.cost
    slots[index].block = nil
    slots[index].searchedFirst = nil
    slots[index].next = free
    free = Int32(index)
    return block
  }

  private mutating func unlink(_ index: Int) {
    let bucket = bucket(slots[index].hash)
    var at = Int(buckets[bucket])
    if at == index {
      buckets[bucket] = slots[index].next
      return
    }
    while Int(slots[at].next) != index { at = Int(slots[at].next) }
    slots[at].next = slots[index].next
  }
}
