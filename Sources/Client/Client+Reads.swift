public import Bytes
import FoundationEssentials
import Wire

/// What a key had.
public struct Found: Equatable, Sendable {
  /// The version of the write.
  public let version: Version
  /// The value.
  public let value: [UInt8]
}

/// How old an answer may be that need not be the leader's.
public struct Freshness: Equatable, Sendable {
  /// The node that answered.
  public let node: NodeID
  /// By how many milliseconds it may have been behind; nil: it didn't know.
  public let lagMilliseconds: Int?

  init(node: UInt32, lag: UInt32) {
    self.node = NodeID(rawValue: node)
    lagMilliseconds = lag == .max ? nil : Int(lag)
  }
}

/// What a read promises of writes that were acknowledged before it.
public enum Consistency: Equatable, Sendable {
  /// It sees them all.
  case strong
  /// It sees what some replica has.
  case eventual
  /// It sees those that are older than so many milliseconds, at least 1.
  case bounded(milliseconds: UInt64)

  /// Whether an answer of such a freshness is good enough.
  func accepts(_ freshness: Freshness) -> Bool {
    switch self {
    case .strong: false
    case .eventual: true
    case .bounded(let limit): freshness.lagMilliseconds.map { UInt64($0) <= limit } ?? false
    }
  }
}

extension Found {
  /// What an answer says was found; nil where nothing was.
  init?(_ answer: WireGetResponse) {
    guard answer.found else { return nil }
    self.init(version: Version(rawValue: answer.version), value: answer.value.array)
  }
}

extension WireGetRequest {
  /// A read of a key.
  /// - Parameters:
  ///   - version: the version to read at; nil: the latest.
  ///   - consistency: what the latest is.
  init(_ key: Key, at version: Version? = nil, _ consistency: Consistency = .strong) {
    self.init()
    self.key = Data(key.bytes)
    at = version?.rawValue ?? 0
    eventual = consistency != .strong
    if case .bounded(let limit) = consistency { maxLagMs = UInt32(clamping: max(1, limit)) }
  }
}

extension Client {
  /// The value of a key, or nil where it has none.
  /// - Parameter at: the version to read at; nil: the latest.
  public func get(_ key: Key, at version: Version? = nil) throws(ClientError) -> Found? {
    Found(try get(WireGetRequest(key, at: version), key) { self.leaderAddress(of: key) })
  }

  /// The value of a key, or nil where it has none, as some replica has it; and how fresh that is.
  public func get(
    _ key: Key, consistency: Consistency
  ) throws(ClientError) -> (found: Found?, freshness: Freshness?) {
    guard consistency != .strong else { return (try get(key), nil) }
    let answer = try get(WireGetRequest(key, consistency), key) { self.nearest(self.holders(of: key)) }
    return (Found(answer), Freshness(answer))
  }

  private func get(
    _ request: WireGetRequest, _ key: Key, preferred: () -> String?
  ) throws(ClientError) -> WireGetResponse {
    try Client.check(key)
    return try call(.get(request), Attempts("get"), preferred: preferred) { body in
      if case .get(let answer) = body { answer } else { nil }
    }
  }

  /// A version at or above every one given out before the call: what a range of the latest reads at.
  public func latestVersion() throws(ClientError) -> Version { try latestVersion(until: deadline) }

  func latestVersion(until end: UInt64) throws(ClientError) -> Version {
    try call(.now(WireNowRequest()), Attempts("asking for the latest version"), until: end) { body in
      if case .now(let answer) = body, answer.version > 0 { Version(rawValue: answer.version) } else { nil }
    }
  }

  /// A join token's text, as `kv join` takes it.
  public func invite(ttlMilliseconds: UInt64) throws(ClientError) -> String {
    var invite = WireInviteRequest()
    invite.ttlMs = ttlMilliseconds
    // A token that got lost on the way dies with its time: asking again is harmless.
    return try call(.invite(invite), Attempts("invite")) { body in
      if case .invite(let answer) = body, (try? JoinToken(parsing: answer.token)) != nil { answer.token } else { nil }
    }
  }

  /// Refuses a key that no node would take, before anything is sent.
  static func check(_ key: Key) throws(ClientError) {
    guard key.bytes.count <= Limits.keyBytes.rawValue else {
      throw .invalid("a key has at most \(Limits.keyBytes), this one has \(key.bytes.count) bytes")
    }
  }

  /// The nodes that hold a replica of a key's partition; none where that isn't known.
  func holders(of key: Key) -> [String] {
    loadMap()
    guard let map = knownMap else { return [] }
    return map.holders(of: key).compactMap { map.address(of: $0) }
  }

  /// Of some addresses one with a connection, else the first in the cluster file: on a node's machine that is the node.
  func nearest(_ addresses: [String]) -> String? {
    candidates().first { links[$0] != nil && addresses.contains($0) } ?? file.addresses.first(where: addresses.contains)
      ?? addresses.first
  }
}

extension Freshness {
  /// What an answer says of itself; nil where it doesn't.
  init?(_ answer: WireGetResponse) {
    guard answer.node > 0 else { return nil }
    self.init(node: answer.node, lag: answer.lagMs)
  }

  /// What an answer says of itself.
  init(_ answer: WireRangeResponse) {
    self.init(node: answer.node, lag: answer.lagMs)
  }
}
