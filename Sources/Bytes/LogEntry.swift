/// One entry of a group's Raft log: what the consensus core orders, the shared log stores and peers exchange.
public struct LogEntry: Equatable, Sendable {
  /// What the payload is for.
  public enum Kind: UInt8, Sendable {
    /// A command of the state machine; empty for the entry by which a new leader commits its term.
    case command = 0
    /// A change of the group's membership, in the consensus core's own encoding.
    case membership = 1
  }

  /// The term in which a leader created the entry.
  public let term: Term
  /// The entry's place in the log.
  public let index: LogIndex
  /// What the payload is for.
  public let kind: Kind
  /// The command or membership change.
  public let payload: [UInt8]

  /// An entry of these parts.
  public init(term: Term, index: LogIndex, kind: Kind = .command, payload: [UInt8]) {
    self.term = term
    self.index = index
    self.kind = kind
    self.payload = payload
  }

  /// The bytes that `encode` adds to those of the payload.
  public static let headerBytes = 21

  /// The size of the encoded entry in bytes.
  public var encodedBytes: Int { LogEntry.headerBytes + payload.count }

  /// Appends the entry as log and wire hold it: payload length u32, term u64, index u64, kind u8, payload.
  public func encode(into writer: inout ByteWriter) {
    writer.u32(UInt32(payload.count))
    writer.u64(term.rawValue)
    writer.u64(index.rawValue)
    writer.u8(kind.rawValue)
    writer.raw(payload)
  }

  /// Reads one entry that `encode` wrote.
  public init(from reader: inout ByteReader) throws(ByteError) {
    let start = reader.offset
    let length = Int(try reader.u32())
    guard length <= Limits.entryBytes.rawValue else {
      throw .malformed(
        offset: start, expected: "an entry of at most \(Limits.entryBytes)", found: "\(length) bytes")
    }
    term = Term(rawValue: try LogEntry.counter(from: &reader))
    index = LogIndex(rawValue: try LogEntry.counter(from: &reader))
    let kindOffset = reader.offset
    let code = try reader.u8()
    guard let kind = Kind(rawValue: code) else {
      throw .malformed(offset: kindOffset, expected: "an entry kind of 0 or 1", found: "\(code)")
    }
    self.kind = kind
    payload = try reader.bytes(length)
  }

  /// A term or index: no log counts to 2^63, and below it arithmetic on them can't overflow.
  private static func counter(from reader: inout ByteReader) throws(ByteError) -> UInt64 {
    let start = reader.offset
    let value = try reader.u64()
    guard value <= UInt64(Int64.max) else {
      throw .malformed(offset: start, expected: "a term or index below 2^63", found: "\(value)")
    }
    return value
  }
}
