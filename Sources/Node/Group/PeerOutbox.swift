import Bytes

/// The consensus messages that wait to leave: all groups' messages to one node share a frame, as long as it stays far
/// below the frame limit.
struct PeerOutbox {
  private struct Frame {
    let node: NodeID
    var messages: [GroupMessage] = []
    var bytes = 0
  }

  /// The frames that still take messages, one for each node.
  private var open: [Frame] = []
  private var full: [Frame] = []

  mutating func add(_ message: GroupMessage, to node: NodeID) {
    let size = message.encodedBytes
    let place = open.firstIndex { $0.node == node } ?? open.count
    if place == open.count { open.append(Frame(node: node)) }
    if open[place].bytes > 0, open[place].bytes + size > Limits.peerFrameBytes.rawValue {
      full.append(open[place])
      open[place] = Frame(node: node)
    }
    open[place].messages.append(message)
    open[place].bytes += size
  }

  /// Gives out what waits, frame by frame.
  mutating func empty(_ send: (NodeID, [GroupMessage]) -> Void) {
    guard !open.isEmpty else { return }
    for frame in full { send(frame.node, frame.messages) }
    for frame in open { send(frame.node, frame.messages) }
    full.removeAll()
    open.removeAll(keepingCapacity: true)
  }
}
