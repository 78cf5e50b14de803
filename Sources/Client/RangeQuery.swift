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

  /// A query of these parts; everything, where none is given.
  public init(
    min: Key? = nil, max: Key? = nil, at: Version? = nil, limit: Int? = nil, reverse: Bool = false,
    keysOnly: Bool = false
  ) {
    self.min = min
    self.max = max
    self.at = at
    self.limit = limit
    self.reverse = reverse
    self.keysOnly = keysOnly
  }

  /// Whether no key can be in the range.
  var isEmpty: Bool {
    if let max, max <= min ?? Key([]) { true } else { limit == 0 }
  }

  /// Whether a key comes before another in the order of the range.
  func precedes(_ left: Key, _ right: Key) -> Bool { reverse ? right < left : left < right }

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
