public import Bytes
import FoundationEssentials
import HashRing
import Wire

/// Which changes a watch gives.
public struct WatchQuery: Equatable, Sendable {
  /// The lowest key; nil: no bound.
  public var min: Key?
  /// The key before which the watched keys end; nil: no bound.
  public var max: Key?
  /// Only changes above this version; nil: those from now on.
  public var after: Version?

  /// The changes of keys between two bounds.
  public init(min: Key? = nil, max: Key? = nil, after: Version? = nil) {
    self.min = min
    self.max = max
    self.after = after
  }

  /// The changes of one key.
  public init(key: Key, after: Version? = nil) {
    self.init(min: key, max: key.successor, after: after)
  }

  /// The changes of the keys that begin with a prefix.
  public init(prefix: Key, after: Version? = nil) {
    self.init(min: prefix, max: prefix.successorOfPrefix, after: after)
  }

  /// The only key that is watched, if there is but one.
  var onlyKey: Key? {
    guard let min, max == min.successor else { return nil }
    return min
  }

  /// Whether a key is watched.
  func contains(_ key: Key) -> Bool {
    if let min, key < min { return false }
    if let max, key >= max { return false }
    return true
  }

  /// The partitions that may hold watched keys.
  func parts(of map: ClusterMap) -> [ClusterMap.Part] {
    guard let onlyKey else { return map.parts }
    return map.parts.filter { $0.arc.contains(Position(of: onlyKey)) }
  }

  /// The request for the changes of some partitions; without an end, to wait for some.
  func request(_ parts: [ClusterMap.Part], after: Version, through: Version?) -> WireWatchRequest {
    .with {
      $0.groups = parts.map(\.group.rawValue)
      $0.bits = parts.map { UInt32($0.arc.bits) }
      $0.after = after.rawValue
      $0.through = through?.rawValue ?? 0
      $0.min = Data(min?.bytes ?? [])
      $0.max = Data(max?.bytes ?? [])
      $0.bounded = max != nil
      $0.credit = UInt32(ClientLimits.changesCredit.rawValue)
    }
  }
}
