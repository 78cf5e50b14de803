/// The global version of a write: milliseconds since 1970 in the upper 46 bits, a counter in the lower 18.
///
/// Versions are unique, totally ordered across all partitions, and agree with real time (DESIGN, promise P3).
public struct Version: RawRepresentable, Hashable, Comparable, Sendable, CustomStringConvertible {
  /// The number of low bits that hold the counter.
  public static let counterBits: UInt64 = 18
  /// Below every version ever given out.
  public static let zero = Version(rawValue: 0)
  /// Above every version ever given out: "the latest".
  public static let max = Version(rawValue: .max)

  /// The version as it is stored and printed.
  public let rawValue: UInt64

  /// The version with this stored form.
  public init(rawValue: UInt64) {
    self.rawValue = rawValue
  }

  /// The first version of a millisecond since 1970; `max` where that is too late for a version.
  public init(milliseconds: UInt64) {
    let fits = milliseconds >> (64 - Version.counterBits) == 0
    self.rawValue = fits ? milliseconds << Version.counterBits : .max
  }

  /// The last version of a millisecond since 1970: what a point in time resolves to; `max` where that is too late for
  /// a version.
  public init(lastOfMillisecond milliseconds: UInt64) {
    self.rawValue = Version(milliseconds: milliseconds).rawValue | (1 << Version.counterBits - 1)
  }

  /// The milliseconds since 1970 at which the version was given out, by the oracle's clock.
  public var milliseconds: UInt64 { rawValue >> Version.counterBits }

  /// The version `count` places later. A version that would not fit is `max`.
  public func advanced(by count: UInt64) -> Version {
    let (sum, overflow) = rawValue.addingReportingOverflow(count)
    return overflow ? .max : Version(rawValue: sum)
  }

  public static func < (left: Version, right: Version) -> Bool { left.rawValue < right.rawValue }

  public var description: String { String(rawValue) }
}
