import Environment
import Synchronization

/// The clocks of one simulated node: they follow the world's, at a speed of their own and from a start of their own, and
/// the wall clock can be set.
public final class DriftingClock: Clock {
  private struct Hands {
    /// The world's time at which the speed last changed, and what this clock showed then.
    var anchor: UInt64
    var shown: UInt64
    /// How much faster than the world it runs, in millionths.
    var drift: Int64
    /// How far the wall clock is off, in milliseconds.
    var wallError: Int64
  }

  private let world: SimulatedClock
  private let hands: Mutex<Hands>

  /// A clock that shows `start` nanoseconds now and runs at the world's speed.
  init(world: SimulatedClock, start: UInt64) {
    self.world = world
    hands = Mutex(Hands(anchor: world.now.rawValue, shown: start, drift: 0, wallError: 0))
  }

  private static func reading(_ hands: Hands, at time: UInt64) -> UInt64 {
    let passed = Int64(time - hands.anchor)
    return hands.shown + UInt64(passed + passed / 1_000_000 * hands.drift)
  }

  public var now: Moment {
    let time = world.now.rawValue
    return Moment(rawValue: hands.withLock { DriftingClock.reading($0, at: time) })
  }

  public var wallMilliseconds: UInt64 {
    let right = world.wallMilliseconds
    return hands.withLock { UInt64(max(0, Int64(right) + $0.wallError)) }
  }

  /// Makes the steady clock run faster (or, below 0, slower) than the world's, in millionths. It does not jump.
  public func setDrift(_ millionths: Int64) {
    let time = world.now.rawValue
    hands.withLock {
      $0.shown = DriftingClock.reading($0, at: time)
      $0.anchor = time
      $0.drift = millionths
    }
  }

  /// Sets the wall clock to so many milliseconds ahead of the right time; negative: behind.
  public func setWallError(_ milliseconds: Int64) { hands.withLock { $0.wallError = milliseconds } }

  /// How long, in the world's nanoseconds, this clock takes to count so many milliseconds.
  func worldNanoseconds(forMilliseconds count: UInt64) -> UInt64 {
    let drift = hands.withLock { $0.drift }
    let nanoseconds = Int64(count) * 1_000_000
    return UInt64(nanoseconds - nanoseconds / 1_000_000 * drift)
  }
}
