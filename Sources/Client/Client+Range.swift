import Bytes
import Wire

extension Client {
  /// The records of a range, at one version. The records come as the stream is read; other calls of this client may
  /// be made meanwhile.
  public func range(_ query: RangeQuery) throws(ClientError) -> RangeStream {
    if let limit = query.limit, limit < 0 { throw .invalid("a limit is 0 or more, this one is \(limit)") }
    for key in [query.min, query.max].compactMap(\.self) { try Client.check(bound: key) }
    // A range needs a map: the request for the version brings one along.
    loadMap()
    hasAsked = true
    let end = deadline
    if query.consistency != .strong, query.at == nil, let (version, freshness) = try closedVersion(until: end),
      query.consistency.accepts(freshness)
    {
      return RangeStream(self, query, at: version, freshness: freshness)
    }
    let version: Version
    if let at = query.at { version = at } else { version = try latestVersion(until: end) }
    return RangeStream(self, query, at: version)
  }

  /// The newest version at which replicas nearby can read all partitions, and how old it is; nil where one of them can't
  /// say. So much time is left that the leaders can be asked instead.
  private func closedVersion(until deadline: UInt64) throws(ClientError) -> (Version, Freshness)? {
    let map = if let youngMap { youngMap } else { try freshMap(until: deadline) }
    var parts: [String: [ClusterMap.Part]] = [:]
    for part in map.parts {
      guard let holder = nearestHolder(of: part, in: map) else { return nil }
      parts[holder, default: []].append(part)
    }
    let end = surroundings.now + answerTime(until: deadline)
    var oldest: (Version, Freshness)?
    for (address, parts) in parts.sorted(by: { $0.key < $1.key }) {
      guard let answer = askClosedVersion(of: parts, at: address, until: end) else { return nil }
      if answer.0 < oldest?.0 ?? .max { oldest = answer }
    }
    return oldest
  }

  private func askClosedVersion(
    of parts: [ClusterMap.Part], at address: String, until end: UInt64
  ) -> (Version, Freshness)? {
    let request = WireRangeRequest.with {
      $0.groups = parts.map(\.group.rawValue)
      $0.arcBits = parts.map { UInt32($0.arc.bits) }
      $0.limit = 1
      $0.credit = 1
      $0.keysOnly = true
    }
    let answer = try? call(.range(request), Attempts("range"), until: end, preferred: { address }) { body in
      if case .range(let answer) = body, answer.at > 0 { answer } else { nil }
    }
    return answer.map { (Version(rawValue: $0.at), Freshness($0)) }
  }

  /// Where a part of the ring is to be read that any replica can answer for.
  func nearestHolder(of part: ClusterMap.Part, in map: ClusterMap) -> String? {
    nearest(map.holders(of: part).compactMap { map.address(of: $0) })
  }

  /// A bound may be the successor of the longest key.
  static func check(bound key: Key) throws(ClientError) {
    guard key.bytes.count <= Limits.keyBytes.rawValue + 1 else { throw .invalid("a bound of \(key.bytes.count) bytes") }
  }
}
