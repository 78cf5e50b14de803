import Bytes
import Raft
import Wire

extension WireRaftMessage {
  /// The message of a group as it crosses the network. Entries go as one blob in the shared log's own form.
  init(_ message: Message, group: GroupID) {
    self.init()
    self.group = group.rawValue
    to = message.to.rawValue
    from = message.from.rawValue
    term = message.term.rawValue
    kind = UInt32(message.kind.rawValue)
    index = message.index.rawValue
    logTerm = message.logTerm.rawValue
    commit = message.commit.rawValue
    reject = message.reject
    hintIndex = message.rejectHint.rawValue
    hintTerm = message.hintTerm.rawValue
    context = message.context
    sentAt = message.sentAt
    echo = message.echo
    forced = message.forced
    guard !message.entries.isEmpty else { return }
    var size = 0
    for entry in message.entries { size += entry.encodedBytes }
    var writer = ByteWriter(capacity: size)
    for entry in message.entries { entry.encode(into: &writer) }
    entries = writer.data
  }

  /// The message for the core, or nil where a field makes no sense.
  var message: Message? {
    guard let code = UInt8(exactly: kind), let kind = Message.Kind(rawValue: code), kind != .snapshot else {
      return nil
    }
    var message = Message(
      kind: kind, from: ReplicaID(rawValue: from), to: ReplicaID(rawValue: to), term: Term(rawValue: term))
    message.index = LogIndex(rawValue: index)
    message.logTerm = Term(rawValue: logTerm)
    message.commit = LogIndex(rawValue: commit)
    message.reject = reject
    message.rejectHint = LogIndex(rawValue: hintIndex)
    message.hintTerm = Term(rawValue: hintTerm)
    message.context = context
    message.sentAt = sentAt
    message.echo = echo
    message.forced = forced
    guard !entries.isEmpty else { return message }
    var reader = ByteReader(entries.array)
    var decoded: [LogEntry] = []
    while !reader.isAtEnd {
      guard let entry = try? LogEntry(from: &reader) else { return nil }
      decoded.append(entry)
    }
    message.entries = decoded
    return message
  }
}
