public import Bytes
import FoundationEssentials
import Wire

/// What has to be true of a key for a write to happen.
public enum WriteCondition: Equatable, Sendable {
  /// Nothing.
  case none
  /// The key has no value.
  case ifAbsent
  /// The key's latest version is this one.
  case ifVersion(Version)
}

extension Client {
  /// Writes a value; gives the version of the write.
  /// - Parameter requestID: the id of an earlier attempt whose outcome stayed unknown; nil: a new one.
  public func put(
    _ key: Key, _ value: [UInt8], condition: WriteCondition = .none, requestID: RequestID? = nil
  ) throws(ClientError) -> Version {
    try Client.check(key)
    try Client.check(value: value)
    var write = WireWriteRequest()
    write.key = Data(key.bytes)
    write.value = Data(value)
    write.set(condition)
    return try send(write, to: key, "put", requestID) { $0.version == 0 ? nil : Version(rawValue: $0.version) }
  }

  /// Deletes a key; gives the version of the deletion, or nil where the key had no value and nothing was written.
  /// - Parameters:
  ///   - version: delete only if the key's latest version is this one.
  ///   - requestID: the id of an earlier attempt whose outcome stayed unknown; nil: a new one.
  public func delete(
    _ key: Key, ifVersion version: Version? = nil, requestID: RequestID? = nil
  ) throws(ClientError) -> Version? {
    try Client.check(key)
    var write = WireWriteRequest()
    write.key = Data(key.bytes)
    write.tombstone = true
    if let version { write.set(.ifVersion(version)) }
    let version = try send(write, to: key, "delete", requestID) { Version(rawValue: $0.version) }
    return version == .zero ? nil : version
  }

  /// Tells the nodes up to which of this client's writes it has heard, so that they forget the outcomes at once and not
  /// in an hour. For the end of many writes. Nobody waits for it: where it doesn't arrive, nothing is lost.
  public func acknowledge() {
    guard let (id, through) = session.heard else { return }
    let now = surroundings.now
    for (_, link) in links.sorted(by: { $0.key < $1.key }) where link.failure == nil && link.hasAnswered {
      let message = WireAcknowledgeRequest.with {
        $0.session = Data(id.bytes)
        $0.through = through
      }
      let request = request(.acknowledge(message), time: ClientLimits.acknowledgeTime)
      link.gather(request)
      link.forget(request.id)
      try? link.flush(until: now + ClientLimits.acknowledgeTime)
    }
  }

  private func send(
    _ write: WireWriteRequest, to key: Key, _ what: String, _ given: RequestID?,
    _ read: (WireWriteResponse) -> Version?
  ) throws(ClientError) -> Version {
    // Of somebody else's session it isn't known what was answered.
    let (id, acknowledged) = given.map { ($0, 0) } ?? session.take()
    var write = write
    write.name(id, acknowledged: acknowledged)
    do throws(ClientError) {
      let version = try call(
        .write(write), Attempts(what, write: id, isRepetition: given != nil), preferred: { self.leaderAddress(of: key) }
      ) { body in
        if case .write(let answer) = body { read(answer) } else { nil }
      }
      session.settle(id, isKnown: true)
      return version
    } catch {
      session.settle(id, isKnown: !error.isUnknown)
      throw error
    }
  }

  /// Refuses a value that no node would take, before anything is sent.
  static func check(value: [UInt8]) throws(ClientError) {
    guard value.count <= Limits.valueBytes.rawValue else {
      throw .invalid("a value has at most \(Limits.valueBytes), this one has \(value.count) bytes")
    }
  }
}

extension ClientError {
  /// Whether a write may have been applied in spite of the error.
  var isUnknown: Bool {
    switch self {
    case .unknownOutcome, .unsettled, .internal: true
    default: false
    }
  }
}

extension WireWriteRequest {
  mutating func set(_ condition: WriteCondition) {
    switch condition {
    case .none: self.condition = .none
    case .ifAbsent: self.condition = .ifAbsent
    case .ifVersion(let version):
      self.condition = .ifVersion
      expected = version.rawValue
    }
  }

  mutating func name(_ id: RequestID, acknowledged: UInt64) {
    session = Data(id.session.bytes)
    sequence = id.sequence
    self.acknowledged = acknowledged
  }
}
