public import Bytes
import FoundationEssentials
import Wire

/// Which records a range gives.
public struct RangeQuery: Equatable, Sendable {
  /// The lowest key; nil: no bound.
  public var min: Key?
  /// The key before which the range ends; nil: no bound.
  public var max: Key?
  /// The version to read at; nil: the latest when the range begins.
  public var at: Version?
  /// The most records; nil: no bound.
  public var limit: Int?
  /// From the highest key down.
  public var reverse: Bool
  /// Leaves the values out.
  public var keysOnly: Bool
  /// What of the past is wanted; nil: the records alive at the version. Forward only, and without a limit.
  public var changes: ChangeSpan?
  /// Of `min`, only records below this version.
  var below: Version?
  /// What the range promises of writes before it, where no version is named.
  public var consistency: Consistency

  /// A query of these parts; everything, where none is given.
  public init(
    min: Key? = nil, max: Key? = nil, at: Version? = nil, limit: Int? = nil, reverse: Bool = false,
    keysOnly: Bool = false, consistency: Consistency = .strong
  ) {
    self.min = min
    self.max = max
    self.at = at
    self.limit = limit
    self.reverse = reverse
    self.keysOnly = keysOnly
    self.consistency = consistency
  }

  /// Whether no key can be in the range.
  var isEmpty: Bool {
    if let max, max <= min ?? Key([]) { true } else { limit == 0 }
  }

  /// What is left of the range after a key.
  func continued(after key: Key) -> RangeQuery {
    var rest = self
    if reverse { rest.max = key } else { rest.min = key.successor }
    return rest
  }

  /// Whether the range takes a key.
  func contains(_ key: Key) -> Bool {
    if let min, key < min { return false }
    if let max, key >= max { return false }
    return true
  }

  /// What is left after the record of a key and version: where a range that was read before goes on at the same version.
  public func continued(after key: Key, _ version: Version) -> RangeQuery {
    guard changes != nil else { return continued(after: key) }
    var rest = self
    (rest.min, rest.below) = (key, version)
    return rest
  }

  /// Whether the record of a key and version lies in the range, at its beginning also by its version.
  func contains(_ key: Key, _ version: Version) -> Bool {
    contains(key) && (key != min || below.map { version < $0 } ?? true)
  }

  /// The request for the next part of what changed, of some partitions.
  func request(parts: [ClusterMap.Part], at version: Version, changes: ChangeSpan) -> WireChangesRequest {
    .with {
      $0.groups = parts.map(\.group.rawValue)
      $0.arcBits = parts.map { UInt32($0.arc.bits) }
      $0.min = Data(min?.bytes ?? [])
      $0.below = below?.rawValue ?? 0
      $0.max = Data(max?.bytes ?? [])
      $0.bounded = max != nil
      $0.at = version.rawValue
      $0.since = changes.since.rawValue
      $0.allVersions = changes.scope != .lastChanges
      $0.changedOnly = changes.scope == .allChanged
      $0.credit = UInt32(ClientLimits.rangeCredit.rawValue)
    }
  }

  /// The request for the next part of the range, of some partitions.
  func request(parts: [ClusterMap.Part], at version: Version, limit: Int) -> WireRangeRequest {
    var request = WireRangeRequest()
    request.groups = parts.map(\.group.rawValue)
    request.arcBits = parts.map { UInt32($0.arc.bits) }
    request.min = Data(min?.bytes ?? [])
    request.max = Data(max?.bytes ?? [])
    request.bounded = max != nil
    request.at = version.rawValue
    request.reverse = reverse
    request.limit = UInt32(clamping: limit)
    request.credit = UInt32(ClientLimits.rangeCredit.rawValue)
    request.keysOnly = keysOnly
    return request
  }
}

/// What of the past a range shows, from an earlier version to its own.
public struct ChangeSpan: Equatable, Sendable {
  /// Which records of a key.
  public enum Scope: Sendable {
    /// Of each key that was written or deleted after `since` its state; a tombstone where it has none.
    case lastChanges
    /// Every record alive at some version of the span; deletions show as gaps.
    case all
    /// The same, without those that were alive throughout.
    case allChanged
  }

  /// The earlier version.
  public var since: Version
  /// Which records.
  public var scope: Scope

  /// A span of these parts.
  public init(since: Version, scope: Scope) {
    self.since = since
    self.scope = scope
  }
}
