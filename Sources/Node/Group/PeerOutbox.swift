import Bytes

/// The consensus messages that wait to leave: all groups' messages to one node share a frame, as long as it stays far
/// below the frame limit; but none that is urgent shares one with any that isn't.
struct PeerOutbox {
  private struct Frame {
    let node: NodeID
    let isUrgent: Bool
    var messages: [GroupMessage] = []
    var bytes = 0
  }

  /// The frames that still take messages, one of each kind for each node.
  private var open: [Frame] = []
  private var full: [Frame] = []

  mutating func add(_ message: consuming GroupMessage, to node: NodeID) {
    let size = message.encodedBytes
    let isUrgent = message.message.isUrgent
    let place = open.firstIndex { $0.node == node && $0.isUrgent == isUrgent } ?? open.count
    if place == open.count { open.append(Frame(node: node, isUrgent: isUrgent)) }
    if open[place].bytes > 0, open[place].bytes + size > Limits.peerFrameBytes.rawValue {
      // What a connection hasn't taken for so long counts as lost: consensus sends it again, at its pace.
      if full.count(where: { $0.node == node }) < Limits.heldFrames { full.append(open[place]) }
      open[place] = Frame(node: node, isUrgent: isUrgent)
    }
    open[place].messages.append(message)
    open[place].bytes += size
  }

  /// The number of messages that wait.
  var count: Int { (full + open).reduce(0) { $0 + $1.messages.count } }

  /// Gives out what waits, frame by frame, but for what must wait for a busy connection.
  mutating func empty(isBusy: (NodeID) -> Bool, _ send: (NodeID, [GroupMessage]) -> Void) {
    guard !open.isEmpty || !full.isEmpty else { return }
    var held: [Frame] = []
    for frame in full {
      if isBusy(frame.node) { held.append(frame) } else { send(frame.node, frame.messages) }
    }
    full = held
    open.removeAll { frame in
      guard frame.isUrgent || !isBusy(frame.node) else { return false }
      send(frame.node, frame.messages)
      return true
    }
  }
}
