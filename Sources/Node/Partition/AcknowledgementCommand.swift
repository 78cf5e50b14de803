import Bytes

/// The command of a partition's log by which outcomes are forgotten that their clients have heard of: from cluster
/// format 3 on.
///
///     kind u8 = 5 | sessions varint | session …
///     session: 2 × u64 | the sequence up to which all are answered varint
struct AcknowledgementCommand: Equatable {
  static let kindCode = PartitionCommand.Kind.acknowledgement.rawValue
  /// The cluster format from which on logs may hold it.
  static let format: UInt32 = 3

  /// A session and up to which of its sequences all are answered.
  struct Session: Equatable {
    let id: SessionID
    let through: UInt64
  }

  let sessions: [Session]

  /// Whether a log entry is one.
  static func isOne(_ payload: [UInt8]) -> Bool { payload.first == kindCode }

  init(sessions: [Session]) {
    self.sessions = sessions
  }

  /// The payload of its log entry.
  func encode() -> [UInt8] {
    var writer = ByteWriter(capacity: 8 + 26 * sessions.count)
    writer.u8(Self.kindCode)
    writer.varint(UInt64(sessions.count))
    for session in sessions {
      writer.u64(session.id.high)
      writer.u64(session.id.low)
      writer.varint(session.through)
    }
    return writer.bytes
  }

  /// Reads what `encode` wrote.
  init(payload: [UInt8]) throws(ByteError) {
    var reader = ByteReader(payload)
    let kind = try reader.u8()
    guard kind == Self.kindCode else {
      throw .malformed(offset: 0, expected: "a partition command of kind \(Self.kindCode)", found: "\(kind)")
    }
    var sessions: [Session] = []
    for _ in 0..<(try reader.count(limit: Limits.acknowledgedSessions)) {
      let id = SessionID(high: try reader.u64(), low: try reader.u64())
      sessions.append(Session(id: id, through: try reader.varint()))
    }
    self.sessions = sessions
    try reader.finish()
  }
}
