import Bytes

/// Which keys have writes on their way, and which writes wait for them.
///
/// A write that must look at its key first (a condition, a deletion) is decided only when no other write of the key
/// is under way, so that it sees what they leave. Writes of a key that has waiters wait behind them.
struct KeyLatches {
  private var underWay: [Key: Int] = [:]
  private var waiting: [Key: [PendingWrite]] = [:]

  /// Lets a write wait if it may not go on now: for the key of which that is so, the first one for a batch. A batch holds
  /// none of its keys while it waits, so that no two wait for each other.
  mutating func makesWait(_ write: PendingWrite) -> Bool {
    guard let key = blockedKey(of: write) else { return false }
    waiting[key, default: []].append(write)
    return true
  }

  private func blockedKey(of write: PendingWrite) -> Key? {
    let mustLook = write.mustLook
    if blocks(write.key, mustLook: mustLook) { return write.key }
    return write.others.first { blocks($0.key, mustLook: mustLook) }?.key
  }

  private func blocks(_ key: Key, mustLook: Bool) -> Bool {
    !waiting.isEmpty && waiting[key] != nil || mustLook && underWay[key] != nil
  }

  /// A write is under way.
  mutating func begin(_ write: PendingWrite) {
    underWay[write.key, default: 0] += 1
    for other in write.others { underWay[other.key, default: 0] += 1 }
  }

  /// A write has ended. Gives those that waited for its keys, where none is under way any more.
  mutating func end(_ write: PendingWrite) -> [PendingWrite] {
    guard write.isBatch else { return end(write.key) }
    return end(write.key) + write.others.flatMap { end($0.key) }
  }

  private mutating func end(_ key: Key) -> [PendingWrite] {
    guard let count = underWay[key] else { return [] }
    guard count == 1 else {
      underWay[key] = count - 1
      return []
    }
    underWay[key] = nil
    return waiting.isEmpty ? [] : waiting.removeValue(forKey: key) ?? []
  }

  /// Forgets everything and gives all that waited, by key.
  mutating func removeAll() -> [PendingWrite] {
    underWay.removeAll()
    let rest = waiting.sorted { $0.key < $1.key }.flatMap { $0.value }
    waiting.removeAll()
    return rest
  }
}
