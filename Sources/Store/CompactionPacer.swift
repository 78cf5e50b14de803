/// Spreads compactions over time, so that they leave the disk and the processor to whoever waits for an answer. One for all
/// stores that share a disk.
///
/// The rate is what it takes to pay the debt within `payback`, and never less than the slowest; where writes are already
/// held back there is no limit at all. So a store that is written to steadily compacts steadily, and one that is overrun
/// compacts as fast as it can.
public struct CompactionPacer: Sendable {
  /// The bytes of a slice: what is done between two looks at what else is due.
  public static let sliceBytes = 256 << 10
  /// The seconds within which a debt is to be paid.
  private static let payback: UInt64 = 10
  /// The rate below which compactions are never held back.
  private static let leastBytesPerSecond = 8 << 20

  private var bucket = TokenBucket(bytesPerSecond: leastBytesPerSecond, burstBytes: 4 * sliceBytes)

  /// A pacer for one disk.
  public init() {}

  /// The nanoseconds to wait after a slice of so many bytes. `debt` is what waits to be compacted (`StoreProgress`),
  /// `pressure` how writes are held back, of all stores that share the pacer the sum and the worst; `now` is in nanoseconds on a
  /// clock that never goes back.
  public mutating func pause(
    after bytes: Int, debt: UInt64, pressure: WritePressure, at now: UInt64
  ) -> UInt64 {
    guard pressure == .none else {
      self = CompactionPacer()
      return 0
    }
    let rate = max(Self.leastBytesPerSecond, Int(clamping: debt / Self.payback))
    if rate != bucket.bytesPerSecond { bucket.setRate(rate, at: now) }
    return bucket.take(bytes, at: now)
  }
}
