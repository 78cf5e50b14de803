public import Bytes
public import Raft

/// A message of one group's consensus, on its way between nodes.
public struct GroupMessage: Equatable, Sendable {
  /// The group whose replicas speak.
  public let group: GroupID
  /// What the one says to the other; never a snapshot, which is streamed.
  public let message: Message

  /// A message of a group.
  public init(group: GroupID, message: Message) {
    self.group = group
    self.message = message
  }
}

// The form that crosses the network, kv-wire(5): it is made for each entry of each group and for each follower, so it
// has no tags and no lengths but of the entries.
extension GroupMessage {
  private struct Flags: OptionSet {
    let rawValue: UInt8
    static let reject = Flags(rawValue: 1)
    static let forced = Flags(rawValue: 2)
    static let quiescent = Flags(rawValue: 4)
    static let known: Flags = [.reject, .forced, .quiescent]
  }

  /// The size of the encoded message in bytes, at most.
  var encodedBytes: Int {
    var size = GroupMessage.mostFixedBytes
    for entry in message.entries { size += entry.encodedBytes }
    return size
  }

  /// Five fixed fields, two bytes, and eight varints of a byte each.
  fileprivate static let fewestBytes = 4 + 4 * 8 + 2 + 8
  /// The same with varints of ten bytes.
  private static let mostFixedBytes = fewestBytes + 8 * 9

  /// Appends the message.
  func encode(into writer: inout ByteWriter) {
    writer.u8(message.kind.rawValue)
    var flags: Flags = []
    if message.reject { flags.insert(.reject) }
    if message.forced { flags.insert(.forced) }
    if message.quiescent { flags.insert(.quiescent) }
    writer.u8(flags.rawValue)
    writer.u32(group.rawValue)
    writer.u64(message.to.rawValue)
    writer.u64(message.from.rawValue)
    writer.u64(message.sentAt)
    writer.u64(message.echo)
    writer.varint(message.term.rawValue)
    writer.varint(message.index.rawValue)
    writer.varint(message.logTerm.rawValue)
    writer.varint(message.commit.rawValue)
    writer.varint(message.rejectHint.rawValue)
    writer.varint(message.hintTerm.rawValue)
    writer.varint(message.context)
    writer.varint(UInt64(message.entries.count))
    for entry in message.entries { entry.encode(into: &writer) }
  }

  /// Reads one message that `encode` wrote.
  init(from reader: inout ByteReader) throws(ByteError) {
    let start = reader.offset
    let code = try reader.u8()
    guard let kind = Message.Kind(rawValue: code), kind != .snapshot else {
      throw .malformed(offset: start, expected: "a kind of consensus message", found: "\(code)")
    }
    let flags = Flags(rawValue: try reader.u8())
    guard Flags.known.isSuperset(of: flags) else {
      throw .malformed(offset: start + 1, expected: "flags within 7", found: "\(flags.rawValue)")
    }
    group = GroupID(rawValue: try reader.u32())
    let to = ReplicaID(rawValue: try reader.u64())
    var message = Message(kind: kind, from: ReplicaID(rawValue: try reader.u64()), to: to, term: .zero)
    message.reject = flags.contains(.reject)
    message.forced = flags.contains(.forced)
    message.quiescent = flags.contains(.quiescent)
    message.sentAt = try reader.u64()
    message.echo = try reader.u64()
    message.term = Term(rawValue: try reader.varint())
    message.index = LogIndex(rawValue: try reader.varint())
    message.logTerm = Term(rawValue: try reader.varint())
    message.commit = LogIndex(rawValue: try reader.varint())
    message.rejectHint = LogIndex(rawValue: try reader.varint())
    message.hintTerm = Term(rawValue: try reader.varint())
    message.context = try reader.varint()
    // Each entry takes at least its header: a count above that is refused before anything is allocated for it.
    let count = try reader.count(limit: reader.remaining / LogEntry.headerBytes)
    if count > 0 {
      message.entries.reserveCapacity(count)
      for _ in 0..<count { message.entries.append(try LogEntry(from: &reader)) }
    }
    self.message = message
  }
}

extension [GroupMessage] {
  /// The payload of a frame of kind `peerBatch`.
  public var encoded: [UInt8] {
    var writer = ByteWriter(capacity: indices.reduce(0) { $0 + self[$1].encodedBytes })
    for i in indices { self[i].encode(into: &writer) }
    return writer.bytes
  }

  /// The messages in the payload of a frame of kind `peerBatch`.
  public init(untrusted payload: [UInt8]) throws(ByteError) {
    self = []
    reserveCapacity(Swift.min(payload.count / GroupMessage.fewestBytes, 16))
    var reader = ByteReader(payload)
    while !reader.isAtEnd { append(try GroupMessage(from: &reader)) }
  }
}
