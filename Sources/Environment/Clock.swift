/// A moment on a node's steady clock, which counts through suspension (CLOCK_BOOTTIME): nanoseconds since the host
/// started. Moments of different hosts have nothing to do with each other.
public struct Moment: RawRepresentable, Hashable, Comparable, Sendable {
  public let rawValue: UInt64
  public init(rawValue: UInt64) { self.rawValue = rawValue }
  public static func < (left: Moment, right: Moment) -> Bool { left.rawValue < right.rawValue }
  /// The moment a number of milliseconds later.
  public func advanced(milliseconds: UInt64) -> Moment { Moment(rawValue: rawValue + milliseconds * 1_000_000) }
  /// The milliseconds from an earlier moment to this one; 0 if it is not earlier.
  public func milliseconds(since earlier: Moment) -> UInt64 {
    rawValue > earlier.rawValue ? (rawValue - earlier.rawValue) / 1_000_000 : 0
  }
}

/// The two clocks of a node.
public protocol Clock: Sendable {
  /// The steady clock, for time-outs and leases.
  var now: Moment { get }
  /// The wall clock, in milliseconds since 1970, which may jump.
  var wallMilliseconds: UInt64 { get }
}
