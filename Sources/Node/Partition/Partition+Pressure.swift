import Bytes
import Environment
import Store

// Writes that come faster than flushes and compactions keep up with: they are slowed down first, then refused, so that
// memory stays bounded and reads stay short.
extension Partition {
  /// How far the store is behind.
  enum Pressure: UInt32 {
    case none
    /// Writes go on at a bounded pace.
    case slow
    /// Writes are refused: they can be tried again.
    case stop
  }

  var pressure: Pressure {
    guard store.isOverloaded else { return .none }
    let options = node.storage.storeOptions
    let isFull =
      store.memtableBytes >= Limits.mostMemtables * options.memtableBytes
      || store.levels[0].files >= Limits.mostLevel0 * options.level0Files
    return isFull ? .stop : .slow
  }

  /// Entries can't be refused once the group's leader has them, but left for later.
  var isSaturated: Bool {
    store.memtableBytes >= Limits.mostMemtables * node.storage.storeOptions.memtableBytes
  }

  /// How many bytes the batch may have that is now to start; nil while none may.
  func takeTurn() -> ByteCount? {
    switch pressure {
    case .none: return Limits.batchBytes
    case .stop: return nil
    case .slow:
      guard node.now >= nextSlowBatch else { return nil }
      nextSlowBatch = node.now.advanced(milliseconds: Limits.slowBatchMilliseconds)
      return Limits.slowBatchBytes
    }
  }
}
