/// What the payload of a frame is: the second field of the frame header (kv-wire(5)).
public enum FrameKind: UInt8, Sendable {
  /// A `WireRequest`.
  case request = 1
  /// A `WireResponse`.
  case response = 2
  /// Consensus messages in a form of their own, from a node.
  case peerBatch = 3
  /// A `WireSnapshotChunk`, from a node.
  case snapshotChunk = 4
  /// A `WireSnapshotCredit`, from a node.
  case snapshotCredit = 5
}
