import Bytes
import Wire

/// The consensus messages that wait to leave, by node: all groups' messages to one node share a frame.
struct PeerOutbox {
  private var waiting: [NodeID: [WireRaftMessage]] = [:]

  mutating func add(_ message: WireRaftMessage, to node: NodeID) {
    waiting[node, default: []].append(message)
  }

  /// Takes out what waits, by ascending node, in frames that stay far below the frame limit.
  mutating func take() -> [(NodeID, [WireRaftMessage])] {
    guard !waiting.isEmpty else { return [] }
    var frames: [(NodeID, [WireRaftMessage])] = []
    for node in waiting.keys.sorted() {
      var frame: [WireRaftMessage] = []
      var bytes = 0
      for message in waiting[node] ?? [] {
        if bytes > 0, bytes + message.entries.count > Limits.peerFrameBytes.rawValue {
          frames.append((node, frame))
          frame.removeAll()
          bytes = 0
        }
        frame.append(message)
        bytes += message.entries.count
      }
      frames.append((node, frame))
    }
    waiting.removeAll(keepingCapacity: true)
    return frames
  }
}
