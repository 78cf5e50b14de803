/// Holds a flow of bytes to a rate: tokens come at the rate, up to a burst; who takes more than there are waits until the
/// debt is paid. Reads no clock: the caller says what time it is, in nanoseconds on a clock that never goes back.
public struct TokenBucket: Sendable {
  /// The bytes that gather while nobody takes any.
  public let burstBytes: Int
  /// The tokens that come in a second.
  public private(set) var bytesPerSecond: Int
  private var tokens: Double
  private var last: UInt64?

  /// A full bucket.
  public init(bytesPerSecond: Int, burstBytes: Int) {
    precondition(bytesPerSecond > 0 && burstBytes > 0)
    self.bytesPerSecond = bytesPerSecond
    self.burstBytes = burstBytes
    tokens = Double(burstBytes)
  }

  /// Changes the rate from `now` on.
  public mutating func setRate(_ bytesPerSecond: Int, at now: UInt64) {
    precondition(bytesPerSecond > 0)
    refill(now)
    self.bytesPerSecond = bytesPerSecond
  }

  /// Takes tokens for so many bytes; gives the nanoseconds to wait before more is done.
  public mutating func take(_ bytes: Int, at now: UInt64) -> UInt64 {
    refill(now)
    tokens -= Double(bytes)
    return tokens >= 0 ? 0 : UInt64(-tokens / Double(bytesPerSecond) * 1e9)
  }

  private mutating func refill(_ now: UInt64) {
    if let last, now > last {
      tokens = min(Double(burstBytes), tokens + Double(now - last) / 1e9 * Double(bytesPerSecond))
    }
    last = max(now, last ?? now)
  }
}
