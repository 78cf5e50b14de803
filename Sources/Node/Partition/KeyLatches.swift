import Bytes

/// Which keys have writes on their way, and which writes wait for them.
///
/// A write that must look at its key first (a condition, a deletion) is decided only when no other write of the key
/// is under way, so that it sees what they leave. Writes of a key that has waiters wait behind them.
struct KeyLatches {
  private var underWay: [Key: Int] = [:]
  private var waiting: [Key: [PendingWrite]] = [:]

  /// Whether a write may go on now; otherwise it must be made to wait.
  func admits(_ write: PendingWrite) -> Bool {
    guard waiting.isEmpty || waiting[write.key] == nil else { return false }
    return !write.mustLook || underWay[write.key] == nil
  }

  /// Lets a write wait for its key.
  mutating func wait(_ write: PendingWrite) {
    waiting[write.key, default: []].append(write)
  }

  /// A write of the key is under way.
  mutating func begin(_ key: Key) {
    underWay[key, default: 0] += 1
  }

  /// A write of the key has ended. Gives the writes that waited for the key, now that none is under way.
  mutating func end(_ key: Key) -> [PendingWrite] {
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
