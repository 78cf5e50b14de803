import Bytes
import Raft
import Testing

@testable import Node

@Suite("Consensus messages between nodes")
struct GroupMessageTests {
  /// A batch with every kind of message that travels, and with none to three entries.
  private func batch(_ random: inout SplitMix64) -> [GroupMessage] {
    Message.Kind.allCases.filter { $0 != .snapshot }.map { kind in
      var message = Message(
        kind: kind, from: ReplicaID(rawValue: random.next()), to: ReplicaID(rawValue: random.next()),
        term: Term(rawValue: random.next() >> 2))
      message.index = LogIndex(rawValue: random.next() >> 2)
      message.logTerm = Term(rawValue: random.next() >> 40)
      message.commit = LogIndex(rawValue: random.next() >> 20)
      message.reject = random.next() % 2 == 0
      message.forced = random.next() % 2 == 0
      message.quiescent = random.next() % 2 == 0
      message.rejectHint = LogIndex(rawValue: random.next() >> 30)
      message.hintTerm = Term(rawValue: random.next() >> 60)
      message.context = random.next()
      message.sentAt = random.next()
      message.echo = random.next()
      message.entries = (0..<random.next() % 4).map { place in
        LogEntry(
          term: Term(rawValue: random.next() >> 2), index: LogIndex(rawValue: place),
          kind: random.next() % 5 == 0 ? .membership : .command,
          payload: (0..<random.next() % 40).map { _ in UInt8(truncatingIfNeeded: random.next()) })
      }
      return GroupMessage(group: GroupID(rawValue: UInt32(truncatingIfNeeded: random.next())), message: message)
    }
  }

  @Test("what is read is what was written, and the size is never more than was promised")
  func roundTrip() throws {
    for seed in 0..<200 {
      var random = SplitMix64(seed: UInt64(seed))
      let messages = batch(&random)
      let bytes = messages.encoded
      #expect(try [GroupMessage](untrusted: bytes) == messages, "seed \(seed)")
      #expect(bytes.count <= messages.reduce(0) { $0 + $1.encodedBytes })
    }
  }

  @Test("a batch that ends anywhere but between two messages is refused")
  func truncated() throws {
    var random = SplitMix64(seed: 7)
    let messages = Array(batch(&random).prefix(3))
    var ends: Set<Int> = [0]
    for count in 1...messages.count { ends.insert(Array(messages[..<count]).encoded.count) }
    let bytes = messages.encoded
    for end in 0...bytes.count {
      let read = try? [GroupMessage](untrusted: Array(bytes[..<end]))
      #expect((read != nil) == ends.contains(end), "\(end) of \(bytes.count) bytes")
    }
  }

  @Test("garbage is read as messages or refused, and a count of entries allocates nothing that isn't there")
  func garbage() {
    for seed in 0..<500 {
      var random = SplitMix64(seed: UInt64(seed))
      var bytes = batch(&random).encoded
      for _ in 0..<1 + random.next() % 8 {
        bytes[Int(random.next() % UInt64(bytes.count))] = UInt8(truncatingIfNeeded: random.next())
      }
      guard let read = try? [GroupMessage](untrusted: bytes) else { continue }
      #expect(read.reduce(0) { $0 + $1.message.entries.count } * LogEntry.headerBytes <= bytes.count, "seed \(seed)")
    }
  }

  @Test("a snapshot, an unknown kind and unknown flags are refused by name")
  func unknown() {
    let heartbeat = GroupMessage(
      group: .catalog,
      message: Message(
        kind: .heartbeat, from: ReplicaID(rawValue: 1), to: ReplicaID(rawValue: 2), term: Term(rawValue: 1)))
    for (place, value) in [(0, Message.Kind.snapshot.rawValue), (0, 200), (1, 8)] {
      var bytes = [heartbeat].encoded
      bytes[place] = value
      #expect(throws: ByteError.self) { try [GroupMessage](untrusted: bytes) }
    }
  }
}
