/// Counts durations in buckets that are at most 1/64 of their value wide, from 1 ns to 18 minutes, in bounded memory.
///
/// Durations below 64 ns have a bucket each; above, every power of two is cut into 64 equal buckets (the log-linear
/// layout of HdrHistogram).
struct LatencyHistogram: Sendable {
  private static let subBits = 6
  private static let largestBits = 40
  private var counts = [UInt64](repeating: 0, count: (largestBits - subBits + 1) << subBits)
  /// How many durations were counted.
  private(set) var total: UInt64 = 0

  /// Counts a duration. One beyond the last bucket counts in it.
  mutating func record(nanoseconds: UInt64) {
    counts[LatencyHistogram.bucket(of: nanoseconds)] += 1
    total += 1
  }

  /// Adds what another counted.
  mutating func add(_ other: LatencyHistogram) {
    for index in counts.indices { counts[index] += other.counts[index] }
    total += other.total
  }

  /// The duration, in nanoseconds, that this share of all (0 to 1) doesn't exceed: the upper end of its bucket.
  /// 0 where nothing was counted.
  func quantile(_ share: Double) -> UInt64 {
    let rank = max(1, UInt64((share * Double(total)).rounded(.up)))
    var seen: UInt64 = 0
    for (index, count) in counts.enumerated() {
      seen += count
      if seen >= rank { return LatencyHistogram.upperEnd(of: index) }
    }
    return 0
  }

  static func bucket(of nanoseconds: UInt64) -> Int {
    let value = min(nanoseconds, 1 << UInt64(largestBits) - 1)
    let bits = UInt64.bitWidth - value.leadingZeroBitCount
    guard bits > subBits + 1 else { return Int(value) }
    let shift = bits - subBits - 1
    return shift << subBits + Int(value >> UInt64(shift))
  }

  static func upperEnd(of bucket: Int) -> UInt64 {
    guard bucket >= 2 << subBits else { return UInt64(bucket) }
    let shift = bucket >> subBits - 1
    let part = UInt64(bucket - shift << subBits)
    return (part + 1) << UInt64(shift) - 1
  }
}
