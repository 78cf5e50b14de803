import Bytes

/// The times of a run in which clients only read: then groups become quiescent, and are disturbed in that state.
struct Lulls {
  /// From the beginning of one to that of the next, and how long each lasts, in nanoseconds; zero: none.
  private let period: UInt64
  private let length: UInt64

  /// Every other run has them, in a rhythm of its own; a run without faults, made for speed, has none.
  init(seed: UInt64, profile: Profile) {
    var random = SplitMix64(seed: SplitMix64.mix(seed ^ 0x1011))
    guard !profile.shares.isEmpty, Bool.random(using: &random) else {
      (period, length) = (1, 0)
      return
    }
    period = UInt64.random(in: 5_000...12_000, using: &random) * 1_000_000
    length = UInt64.random(in: 2_000...4_000, using: &random) * 1_000_000
  }

  func contains(_ time: UInt64) -> Bool { time % period < length }
}
