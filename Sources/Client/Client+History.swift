public import Bytes
import FoundationEssentials
import Wire

/// Which versions of a key a history gives.
public struct HistoryQuery: Equatable, Sendable {
  /// Only versions below this one; nil: no bound.
  public var before: Version?
  /// Only versions above this one; nil: no bound.
  public var after: Version?
  /// The most versions, counted from the newest; nil: no bound.
  public var limit: Int?

  /// A query of these parts; every kept version, where none is given.
  public init(before: Version? = nil, after: Version? = nil, limit: Int? = nil) {
    self.before = before
    self.after = after
    self.limit = limit
  }
}

extension Client {
  /// The kept versions of a key, the newest first.
  public func history(of key: Key, _ query: HistoryQuery = HistoryQuery()) -> HistoryStream {
    HistoryStream(self, key, query)
  }
}

/// The kept versions of a key, one after the other; a tombstone is a deletion. They are fetched part by part.
public final class HistoryStream {
  private let client: Client
  private let key: Key
  private var rest: HistoryQuery
  private var records: [Record] = []
  private var place = 0
  private var hasMore = true

  init(_ client: Client, _ key: Key, _ query: HistoryQuery) {
    self.client = client
    self.key = key
    rest = query
  }

  /// The next older version, or nil after the oldest.
  public func next() throws(ClientError) -> Record? {
    if place == records.count {
      guard hasMore, rest.limit != 0 else { return nil }
      try fetch()
      guard !records.isEmpty else { return nil }
    }
    defer { place += 1 }
    return records[place]
  }

  private func fetch() throws(ClientError) {
    try Client.check(key)
    let request = WireHistoryRequest.with {
      $0.key = Data(key.bytes)
      $0.before = rest.before?.rawValue ?? 0
      $0.after = rest.after?.rawValue ?? 0
      $0.limit = UInt32(clamping: rest.limit ?? 0)
      $0.credit = UInt32(ClientLimits.rangeCredit.rawValue)
    }
    let preferred = { self.client.leaderAddress(of: self.key) }
    (records, hasMore) = try client.call(.history(request), Attempts("history"), preferred: preferred) { body in
      if case .history(let answer) = body { self.read(answer) } else { nil }
    }
    place = 0
    rest.before = records.last?.version ?? rest.before
    rest.limit = rest.limit.map { max(0, $0 - records.count) }
  }

  /// An answer's records, and whether there are more; nil where it doesn't fit what was asked.
  private func read(_ answer: WireHistoryResponse) -> ([Record], Bool)? {
    var records: [Record] = []
    var reader = ByteReader(answer.records.array)
    var bound = rest.before ?? .max
    while !reader.isAtEnd {
      guard let record = try? Record(from: &reader), record.key == key, record.version < bound,
        record.version > rest.after ?? .zero
      else { return nil }
      bound = record.version
      records.append(record)
    }
    return answer.more && records.isEmpty ? nil : (records, answer.more)
  }
}
