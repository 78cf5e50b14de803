import Bytes

/// The outcomes of a partition's recent writes by request id: replicated state, the same on every replica after the
/// same log entry. A repeated request finds its first outcome here.
struct SessionTable: Equatable {
  /// What became of a request id.
  struct Outcome: Equatable {
    let sequence: UInt64
    let digest: UInt64
    let result: Result
  }

  enum Result: Equatable {
    case written(Version)
    /// Nothing was written, nor will be by any copy of the request.
    case refused(Refusal)
  }

  fileprivate struct Session: Equatable {
    var acknowledged: UInt64 = 0
    var lastMilliseconds: UInt64 = 0
    /// Ascending by sequence, all above `acknowledged`.
    var outcomes: [Outcome] = []
  }

  /// What a lookup finds.
  enum Lookup: Equatable {
    case new
    case done(Result)
    /// The id was used for another payload.
    case conflict
    /// The client had said that it would not ask again.
    case forgotten
  }

  private var sessions: [SessionID: Session] = [:]
  /// Sessions by the minute of version time in which they were last used, for expiry; a session may stand in several
  /// minutes, and only its last counts.
  private var minutes: [(minute: UInt64, sessions: [SessionID])] = []

  static func == (left: SessionTable, right: SessionTable) -> Bool { left.sessions == right.sessions }

  /// The number of sessions kept.
  var count: Int { sessions.count }

  /// The number of outcomes kept.
  private(set) var outcomeCount = 0

  /// What is known of a request id.
  func lookup(_ id: RequestID, digest: UInt64) -> Lookup {
    guard let session = sessions[id.session] else { return .new }
    guard id.sequence > session.acknowledged else { return .forgotten }
    guard let place = session.place(of: id.sequence) else { return .new }
    let outcome = session.outcomes[place]
    return outcome.digest == digest ? .done(outcome.result) : .conflict
  }

  /// Notes the outcome of an applied entry's write, at the version that it has or would have had, and drops what its
  /// client has acknowledged and what has expired.
  mutating func record(_ write: PartitionCommand.Identity, version: Version, refusal: Refusal? = nil) {
    let now = version.milliseconds
    let result = refusal.map { Result.refused($0) } ?? .written(version)
    let session = write.id.session
    let (lastUse, dropped) = sessions[session, default: Session()].add(
      Outcome(sequence: write.id.sequence, digest: write.digest, result: result), acknowledged: write.acknowledged,
      at: now)
    outcomeCount += 1 - dropped
    let minute = now.dividedIntoMinutes
    if lastUse == 0 || lastUse.dividedIntoMinutes != minute { note(session, minute: minute) }
    expire(now: now)
  }

  /// Whether the outcome of a sequence up to this one is kept.
  func keeps(_ session: SessionID, upTo sequence: UInt64) -> Bool {
    sessions[session]?.outcomes.first.map { $0.sequence <= sequence } ?? false
  }

  /// Drops the outcomes of a session of which its client has heard. The session stays until it expires: what comes late
  /// of it is known as such.
  mutating func acknowledge(_ session: SessionID, through sequence: UInt64) {
    outcomeCount -= sessions[session]?.acknowledge(through: sequence) ?? 0
    sessions[session]?.trim()
  }

  private mutating func note(_ session: SessionID, minute: UInt64) {
    if minutes.last?.minute == minute {
      minutes[minutes.count - 1].sessions.append(session)
    } else {
      settleLastMinute()
      minutes.append((minute, [session]))
    }
  }

  /// A minute is over: sessions that were last used in it are most likely at their end, and keep no room for more.
  private mutating func settleLastMinute() {
    guard let (minute, ids) = minutes.last else { return }
    minutes[minutes.count - 1].sessions = ids.exactly
    for id in ids where sessions[id]?.lastMilliseconds.dividedIntoMinutes == minute { sessions[id]?.trim() }
  }

  private mutating func expire(now: UInt64) {
    while let oldest = minutes.first, (oldest.minute + 1) * 60_000 + Limits.requestIDMilliseconds < now {
      for id in oldest.sessions {
        if let session = sessions[id], session.lastMilliseconds.dividedIntoMinutes <= oldest.minute {
          outcomeCount -= session.outcomes.count
          sessions[id] = nil
        }
      }
      minutes.removeFirst()
    }
  }
}

extension SessionTable.Session {
  fileprivate func place(of sequence: UInt64) -> Int? {
    guard let last = outcomes.last, sequence <= last.sequence else { return nil }
    let place = lowerBound(sequence)
    return outcomes[place].sequence == sequence ? place : nil
  }

  private func lowerBound(_ sequence: UInt64) -> Int {
    var low = 0
    var high = outcomes.count
    while low < high {
      let middle = (low + high) / 2
      if outcomes[middle].sequence < sequence { low = middle + 1 } else { high = middle }
    }
    return low
  }

  /// Gives when the session was last used before, 0 if it is new, and how many outcomes were dropped.
  fileprivate mutating func add(
    _ outcome: SessionTable.Outcome, acknowledged: UInt64, at milliseconds: UInt64
  ) -> (lastUse: UInt64, dropped: Int) {
    defer { lastMilliseconds = milliseconds }
    let dropped = acknowledge(through: min(acknowledged, outcome.sequence &- 1))
    insert(outcome)
    return (lastMilliseconds, dropped)
  }

  /// Gives how many outcomes were dropped.
  fileprivate mutating func acknowledge(through sequence: UInt64) -> Int {
    guard sequence > acknowledged else { return 0 }
    acknowledged = sequence
    let heard = outcomes.prefix { $0.sequence <= sequence }.count
    if heard > 0 { outcomes.removeFirst(heard) }
    return heard
  }

  fileprivate mutating func insert(_ outcome: SessionTable.Outcome) {
    outcomes.insert(outcome, at: lowerBound(outcome.sequence))
  }

  fileprivate mutating func trim() { outcomes = outcomes.exactly }
}

extension Array {
  /// The same elements in a room of no more than they need.
  fileprivate var exactly: Self { capacity > count ? withUnsafeBufferPointer { Array($0) } : self }
}

extension UInt64 {
  fileprivate var dividedIntoMinutes: UInt64 { self / 60_000 }
}

// The form in which manifest and snapshots hold the table: sessions ascending, each with its outcomes.
extension SessionTable {
  /// The encoded table, the same for equal tables.
  func encode() -> [UInt8] {
    var writer = ByteWriter(capacity: 16 + sessions.count * 64)
    writer.varint(UInt64(sessions.count))
    for (id, session) in sessions.sorted(by: { $0.key < $1.key }) {
      writer.u64(id.high)
      writer.u64(id.low)
      writer.varint(session.acknowledged)
      writer.varint(session.lastMilliseconds)
      writer.varint(UInt64(session.outcomes.count))
      for outcome in session.outcomes {
        writer.varint(outcome.sequence)
        writer.u64(outcome.digest)
        outcome.result.encode(into: &writer)
      }
    }
    return writer.bytes
  }

  /// Reads a table that `encode` wrote; no bytes are an empty table.
  init(decoding bytes: [UInt8]) throws(ByteError) {
    guard !bytes.isEmpty else { return }
    var reader = ByteReader(bytes)
    var order: [(minute: UInt64, id: SessionID)] = []
    for _ in 0..<(try reader.count(limit: bytes.count)) {
      let id = SessionID(high: try reader.u64(), low: try reader.u64())
      var session = Session()
      session.acknowledged = try reader.varint()
      session.lastMilliseconds = try reader.varint()
      for _ in 0..<(try reader.count(limit: bytes.count)) {
        session.insert(
          Outcome(sequence: try reader.varint(), digest: try reader.u64(), result: try Result(from: &reader)))
      }
      outcomeCount += session.outcomes.count
      sessions[id] = session
      order.append((session.lastMilliseconds.dividedIntoMinutes, id))
    }
    try reader.finish()
    for (minute, id) in order.sorted(by: { ($0.minute, $0.id) < ($1.minute, $1.id) }) { note(id, minute: minute) }
  }
}

// A version, or 0 and the refusal.
extension SessionTable.Result {
  fileprivate func encode(into writer: inout ByteWriter) {
    switch self {
    case .written(let version): writer.u64(version.rawValue)
    case .refused(let refusal):
      writer.u64(0)
      refusal.encode(into: &writer)
    }
  }

  fileprivate init(from reader: inout ByteReader) throws(ByteError) {
    let version = Version(rawValue: try reader.u64())
    self = version > .zero ? .written(version) : .refused(try Refusal(from: &reader))
  }
}
