import Bytes

extension Client {
  /// The records of a range, at one version. The records come as the stream is read; other calls of this client may
  /// be made meanwhile.
  public func range(_ query: RangeQuery) throws(ClientError) -> RangeStream {
    if let limit = query.limit, limit < 0 { throw .invalid("a limit is 0 or more, this one is \(limit)") }
    for key in [query.min, query.max].compactMap(\.self) { try Client.check(bound: key) }
    // A range needs a map: the request for the version brings one along.
    loadMap()
    hasAsked = true
    let version: Version
    if let at = query.at { version = at } else { version = try latestVersion() }
    return RangeStream(self, query, at: version)
  }

  /// A bound may be the successor of the longest key.
  private static func check(bound key: Key) throws(ClientError) {
    guard key.bytes.count <= Limits.keyBytes.rawValue + 1 else { throw .invalid("a bound of \(key.bytes.count) bytes") }
  }
}
