/// What is done with a connection's frames. All methods are called on the connection's event loop, never from inside
/// a call that the receiver makes on a connection.
public protocol FrameReceiver: AnyObject {
  /// The handshake is done: frames can be sent.
  func connected(_ connection: FramedConnection)

  /// A frame arrived.
  ///
  /// SAFETY: the payload is lent for the length of the call: what is to stay must be copied.
  func received(_ kind: UInt8, _ payload: UnsafeRawBufferPointer, on connection: FramedConnection)

  /// All frames that had arrived were given to `received`; what was sent meanwhile leaves after this call.
  func readComplete(on connection: FramedConnection)

  /// The peer has taken so much of its output that no more than `Limits.outboundLowWater` waits, after more than
  /// `Limits.outboundHighWater` did: a sender that paused goes on.
  func drained(_ connection: FramedConnection)

  /// The connection is over; no other method follows. Called once for each `connected`.
  func disconnected(_ connection: FramedConnection, reason: String)
}

extension FrameReceiver {
  /// Nothing to do where no sender pauses.
  public func drained(_ connection: FramedConnection) {}
}
