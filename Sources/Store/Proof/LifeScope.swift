public import Bytes

/// Which lives of values count in a proof: the same on every replica that holds the same records.
public struct LifeScope: Sendable {
  /// What of the past counts.
  public let retention: Retention
  /// Only keys that begin with this.
  public let prefix: [UInt8]
  /// Only what a read at this version shows, whatever came after; nil: all that is retained.
  public let at: Version?

  /// A scope of these parts.
  public init(retention: Retention, prefix: [UInt8] = [], at: Version? = nil) {
    self.retention = retention
    self.prefix = prefix
    self.at = at
  }

  /// Whether a life counts.
  func counts(from: Version, to: Version) -> Bool {
    if let at { return from <= at && at < to }
    return to == .max || retention.holds(from: from, to: to)
  }
}
