import Bytes
import Environment
import Store

// Writes that come faster than flushes and compactions keep up with: they are slowed down first, then kept waiting, then
// refused, so that memory stays bounded and reads stay short.
extension Partition {
  /// How many bytes the batch may have that is now to start; nil while none may.
  func takeTurn() -> ByteCount? {
    switch store.pressure {
    case .none: return Limits.batchBytes
    case .stop: return nil
    case .slow(let rate):
      guard node.now >= nextSlowBatch else { return nil }
      if rate != slowWrites.bytesPerSecond { slowWrites.setRate(rate, at: node.now.rawValue) }
      return min(Limits.batchBytes, max(Limits.slowBatchBytes, .bytes(rate / Limits.slowBatchesPerSecond)))
    }
  }

  /// A batch of so many bytes has started.
  func tookTurn(_ bytes: Int) {
    guard case .slow = store.pressure else { return }
    nextSlowBatch = Moment(rawValue: node.now.rawValue + slowWrites.take(bytes, at: node.now.rawValue))
  }

  /// Whether writes are refused: none could be started for a while. They can be tried again.
  var refusesWrites: Bool {
    stoppedSince.map { node.now.milliseconds(since: $0) >= Limits.stopMilliseconds } ?? false
  }

  /// Why writes wait or are refused.
  var overload: String {
    "partition \(group): node \(node.id) can't write to its disk as fast as it is written to; try again"
  }

  /// Notes since when no write can be started.
  func noticePressure() {
    guard store.pressure == .stop else {
      stoppedSince = nil
      return
    }
    stoppedSince = stoppedSince ?? node.now
  }

  /// Entries can't be refused once the group's leader has them, but left for later.
  var isSaturated: Bool {
    store.memtableBytes >= Limits.mostMemtables * node.storage.storeOptions.memtableBytes
  }
}
