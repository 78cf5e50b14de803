public import Bytes
import FoundationEssentials
import Wire

/// What a key had.
public struct Found: Equatable, Sendable {
  /// The version of the write.
  public let version: Version
  /// The value.
  public let value: [UInt8]
  /// By how many milliseconds the answering replica may have been behind; 0 unless the read was an eventual one.
  public let lagMilliseconds: Int
}

extension Found {
  /// What an answer says was found; nil where nothing was.
  init?(_ answer: WireGetResponse) {
    guard answer.found else { return nil }
    self.init(
      version: Version(rawValue: answer.version), value: answer.value.array, lagMilliseconds: Int(answer.lagMs))
  }
}

extension Client {
  /// The value of a key, or nil where it has none.
  /// - Parameters:
  ///   - at: the version to read at; nil: the latest.
  ///   - eventual: takes the answer of any replica, which may be behind.
  public func get(_ key: Key, at version: Version? = nil, eventual: Bool = false) throws(ClientError) -> Found? {
    try Client.check(key)
    var get = WireGetRequest()
    get.key = Data(key.bytes)
    get.at = version?.rawValue ?? 0
    get.eventual = eventual
    let preferred = { eventual ? self.holderAddress(of: key) : self.leaderAddress(of: key) }
    let answer = try call(.get(get), Attempts("get"), preferred: preferred) { body in
      if case .get(let answer) = body { answer } else { nil }
    }
    return Found(answer)
  }

  /// A version at or above every one given out before the call: what a range of the latest reads at.
  public func latestVersion() throws(ClientError) -> Version {
    try call(.now(WireNowRequest()), Attempts("now")) { body in
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

  /// A node that holds a replica of a key's partition, one with a connection first.
  private func holderAddress(of key: Key) -> String? {
    loadMap()
    guard let map = knownMap else { return nil }
    let addresses = map.holders(of: key).compactMap { map.address(of: $0) }
    return addresses.first { links[$0] != nil } ?? addresses.first
  }
}
