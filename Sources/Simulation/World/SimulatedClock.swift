public import Environment
import Synchronization

/// The two clocks of a simulated node, which stand still until a test moves them.
public final class SimulatedClock: Clock {
  private struct Hands {
    var now: Moment
    var wall: UInt64
  }

  private let hands: Mutex<Hands>

  /// Clocks that show these times.
  public init(now: Moment = Moment(rawValue: 0), wallMilliseconds: UInt64 = 1_700_000_000_000) {
    hands = Mutex(Hands(now: now, wall: wallMilliseconds))
  }

  /// The steady clock. To set it back is a fault that no real one has.
  public var now: Moment {
    get { hands.withLock { $0.now } }
    set { hands.withLock { $0.now = newValue } }
  }

  /// The wall clock, which may be set to anything: people and NTP do.
  public var wallMilliseconds: UInt64 {
    get { hands.withLock { $0.wall } }
    set { hands.withLock { $0.wall = newValue } }
  }

  /// Lets time pass on both clocks.
  public func advance(milliseconds: UInt64) {
    hands.withLock {
      $0.now = $0.now.advanced(milliseconds: milliseconds)
      $0.wall += milliseconds
    }
  }
}
