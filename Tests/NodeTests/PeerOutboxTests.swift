import Bytes
import Raft
import Testing

@testable import Node

@Suite("Consensus messages that wait to leave")
struct PeerOutboxTests {
  private let near = NodeID(rawValue: 2)
  private let far = NodeID(rawValue: 3)

  private func message(_ kind: Message.Kind, index: UInt64, bytes: Int = 0) -> GroupMessage {
    let from = ReplicaID(node: NodeID(rawValue: 1), incarnation: 1)
    var message = Message(kind: kind, from: from, to: ReplicaID(node: far, incarnation: 1), term: Term(rawValue: 1))
    message.index = LogIndex(rawValue: index)
    if bytes > 0 {
      let payload = [UInt8](repeating: 0, count: bytes)
      message.entries = [LogEntry(term: Term(rawValue: 1), index: LogIndex(rawValue: index + 1), payload: payload)]
    }
    return GroupMessage(group: .catalog, message: message)
  }

  /// What leaves, as (node, indexes).
  private func empty(_ outbox: inout PeerOutbox, busy: Set<NodeID> = []) -> [(node: NodeID, indexes: [UInt64])] {
    var frames: [(node: NodeID, indexes: [UInt64])] = []
    outbox.empty(isBusy: busy.contains) { frames.append(($0, $1.map(\.message.index.rawValue))) }
    return frames
  }

  @Test("what is urgent shares no frame with entries, and leaves though the connection for those is busy")
  func urgent() {
    var outbox = PeerOutbox()
    outbox.add(message(.append, index: 1, bytes: 10), to: far)
    outbox.add(message(.heartbeat, index: 2), to: far)
    outbox.add(message(.appendResponse, index: 3), to: near)
    let first = empty(&outbox, busy: [far])
    #expect(first.map(\.node) == [far, near] && first.map(\.indexes) == [[2], [3]])
    #expect(outbox.count == 1)
    outbox.add(message(.append, index: 4, bytes: 10), to: far)
    #expect(empty(&outbox).map(\.indexes) == [[1, 4]], "in their order")
    #expect(outbox.count == 0)
  }

  @Test("what waits for a busy connection is bounded: beyond that messages count as lost")
  func bounded() {
    var outbox = PeerOutbox()
    let half = Limits.peerFrameBytes.rawValue / 2 + 1
    for index in 1...200 as ClosedRange<UInt64> {
      outbox.add(message(.append, index: index, bytes: half), to: far)
      #expect(empty(&outbox, busy: [far]).isEmpty)
    }
    #expect(outbox.count == Limits.heldFrames + 1)
    let left = empty(&outbox).flatMap(\.indexes)
    #expect(left == Array(1...UInt64(Limits.heldFrames)) + [200])
  }
}
