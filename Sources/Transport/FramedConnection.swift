public import NIOCore
public import TLS

/// An established connection that carries frames over TLS. It belongs to one event loop: every method is called there.
///
/// SAFETY: `@unchecked Sendable`: the properties are constants; all other state is the handler's, and each method
/// checks that it is on the connection's loop before it touches that. So a reference may travel through other threads.
public final class FramedConnection: @unchecked Sendable {
  /// Who the peer is; nil for a joiner.
  public let peer: PeerIdentity?
  /// The serial number of the peer's certificate; empty for a joiner.
  public let peerSerial: [UInt8]
  /// Whether the peer has shown a certificate or is a joiner.
  public let kind: TLSSession.Kind
  /// Whether an earlier TLS session was resumed.
  public let isResumed: Bool
  /// The peer's address, for messages.
  public let remoteAddress: String
  /// The event loop to which the connection belongs.
  public let eventLoop: any EventLoop
  private let handler: TLSHandler

  init(handler: TLSHandler, session: TLSSession, remoteAddress: String, eventLoop: any EventLoop) {
    self.handler = handler
    self.remoteAddress = remoteAddress
    self.eventLoop = eventLoop
    peer = session.peer
    peerSerial = session.peerSerial
    kind = session.kind
    isResumed = session.isResumed
  }

  /// Whether frames can still be sent; after it turns false they are dropped.
  public var isOpen: Bool {
    eventLoop.preconditionInEventLoop()
    return handler.isOpen
  }

  /// Whether it ended because the peer refuses our certificate as revoked.
  public var isRevoked: Bool {
    eventLoop.preconditionInEventLoop()
    return handler.endReason == .tls(.revoked(.own))
  }

  /// Whether output leaves by itself at the end of the loop's turn; otherwise with `flush` alone, or once much is
  /// there. True at first.
  public var flushesItself: Bool {
    get {
      eventLoop.preconditionInEventLoop()
      return handler.flushesItself
    }
    set {
      eventLoop.preconditionInEventLoop()
      handler.flushesItself = newValue
    }
  }

  /// Appends a frame to the output, which leaves as `flushesItself` says. The payload must fit a
  /// frame (`Limits.frameBytes`).
  public func send(kind: UInt8, payload: [UInt8]) {
    eventLoop.preconditionInEventLoop()
    handler.append(kind) { $0.writeBytes(payload) }
  }

  /// Appends a frame whose payload `write` appends to the buffer. It must not touch the buffer's other bytes, nor
  /// send on this connection. The payload must fit a frame (`Limits.frameBytes`).
  public func send(kind: UInt8, write: (inout ByteBuffer) -> Void) {
    eventLoop.preconditionInEventLoop()
    handler.append(kind, write)
  }

  /// Encrypts and writes the output now.
  public func flush() {
    eventLoop.preconditionInEventLoop()
    handler.flush()
  }

  /// Delivers the output, says farewell and closes. `disconnected` follows in a later turn of the loop.
  public func close() {
    eventLoop.preconditionInEventLoop()
    handler.close()
  }

  /// The bytes of output that have not yet been given to the kernel.
  public var outboundPending: Int {
    eventLoop.preconditionInEventLoop()
    return handler.outboundPending
  }

  /// Whether more than `Limits.outboundHighWater` waits, and the receiver will be told when it has `drained`.
  public var isBusy: Bool {
    eventLoop.preconditionInEventLoop()
    return handler.isBusy
  }

  /// What resumes this TLS session in a later connection to the same node, once the node has sent it; for the side
  /// that connected.
  public var resumption: [UInt8]? {
    eventLoop.preconditionInEventLoop()
    return handler.session.resumption
  }
}
