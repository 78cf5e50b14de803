import Glibc

/// The clocks of the host.
public struct SystemClock: Clock {
  /// The clocks of this host.
  public init() {}

  /// CLOCK_BOOTTIME: it goes on while the host is suspended, so that a lease can't outlive a sleep.
  public var now: Moment {
    let time = SystemClock.read(CLOCK_BOOTTIME)
    return Moment(rawValue: UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec))
  }

  /// CLOCK_REALTIME. A clock set before 1970 reads 0.
  public var wallMilliseconds: UInt64 {
    let time = SystemClock.read(CLOCK_REALTIME)
    return time.tv_sec < 0 ? 0 : UInt64(time.tv_sec) * 1_000 + UInt64(time.tv_nsec) / 1_000_000
  }

  private static func read(_ clock: clockid_t) -> timespec {
    var time = timespec()
    // SAFETY: clock_gettime writes one timespec through the pointer, which lives for the call.
    let result = clock_gettime(clock, &time)
    precondition(result == 0, "both clocks exist on every Linux since 2.6.39")
    return time
  }
}
