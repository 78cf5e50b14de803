internal import Bytes
internal import Logging
internal import NIOCore
internal import TLS

/// The one handler of a connection: TLS and frames on a byte stream.
///
/// All frames of a read are decoded in one `channelRead`; all output of a turn of the loop is encrypted together and
/// written once.
final class TLSHandler: ChannelDuplexHandler {
  typealias InboundIn = ByteBuffer
  typealias OutboundIn = ByteBuffer
  typealias OutboundOut = ByteBuffer

  enum Phase {
    case handshaking
    case open
    /// Nothing is read or sent any more; what was written is being delivered.
    case lingering
    case closed
  }

  /// What the owner of a connection is told before there is a receiver.
  struct Owner {
    /// The handshake is done; gives the receiver.
    let accept: (FramedConnection) -> any FrameReceiver
    /// The connection was made, and ended before `accept`.
    let failed: (TransportError) -> Void
    /// The connection ended, after `accept` or before.
    let ended: (TLSHandler) -> Void
  }

  let session: TLSSession
  let isServer: Bool
  let logger: Logger
  private let owner: Owner
  let flushQueue: FlushQueue
  var phase = Phase.handshaking
  var context: ChannelHandlerContext?
  var connection: FramedConnection?
  var receiver: (any FrameReceiver)?
  var decoder = FrameDecoder()
  /// Frames to be encrypted at the end of the turn.
  var plaintext = ByteBuffer()
  /// The buffer in which ciphertext is written, kept for its memory.
  var ciphertext = ByteBuffer()
  private var hasBegun = false
  private var didNotify = false
  /// Why the connection ended, once it has.
  private(set) var endReason: TransportError?
  var isReading = false
  /// Whether output is being given to the channel. A channel that can't write it reads, before it closes, what input
  /// there is, in the midst of that.
  var isWriting = false
  var flushesItself = true
  var isFlushScheduled = false
  var isReadPaused = false
  var isOutputClosed = false
  var isOutputDelivered = false
  var isInputClosed = false
  var enqueuedBytes = 0
  var timer: Scheduled<Void>?
  var stallTimer: Scheduled<Void>?

  init(session: TLSSession, isServer: Bool, logger: Logger, owner: Owner, flushQueue: FlushQueue) {
    self.session = session
    self.flushQueue = flushQueue
    self.isServer = isServer
    self.logger = logger
    self.owner = owner
  }

  var isOpen: Bool { phase == .open }

  var remoteAddress: String { context?.remoteAddress.map(TLSHandler.text) ?? "an unknown address" }

  private static func text(_ address: SocketAddress) -> String {
    guard let host = address.ipAddress, let port = address.port else { return "\(address)" }
    return host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
  }

  func handlerAdded(context: ChannelHandlerContext) {
    self.context = context
    if context.channel.isActive { begin(context) }
  }

  func handlerRemoved(context: ChannelHandlerContext) {
    end(.broken(why: "the handler was removed"))
    self.context = nil
  }

  func channelActive(context: ChannelHandlerContext) {
    begin(context)
    context.fireChannelActive()
  }

  private func begin(_ context: ChannelHandlerContext) {
    guard !hasBegun, phase == .handshaking else { return }
    hasBegun = true
    let limit = Limits.handshakeMilliseconds
    // Cancelled with the handler's end at the latest. A weak reference would make every use of the handler slower.
    timer = context.eventLoop.assumeIsolated().scheduleTask(in: .milliseconds(limit)) {
      self.fail(.handshakeTimeout(milliseconds: limit))
    }
    guard !isServer else { return }
    do throws(TLSError) {
      _ = try session.handshake()
      flush()
    } catch {
      fail(.tls(error))
    }
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    guard phase == .handshaking || phase == .open else { return }
    // The peer is gone, and whoever writes is in the midst of something: it may be a frame that is being delivered.
    guard !isWriting else { return }
    isReading = true
    let ciphertext = unwrapInboundIn(data)
    do throws(TLSError) {
      // SAFETY: the session reads the lent input within the closure alone.
      let ended = try ciphertext.withUnsafeReadableBytes { (bytes) throws(TLSError) in
        try session.withInput(bytes) { () throws(TLSError) in try decrypt() }
      }
      deliverFrames()
      if ended { closeAfterPeer() }
    } catch {
      // Frames before the damage are whole and authentic: they count.
      deliverFrames()
      fail(.tls(error))
    }
  }

  /// Decrypts all input; true if the peer has said farewell behind it.
  private func decrypt() throws(TLSError) -> Bool {
    if phase == .handshaking {
      guard try session.handshake() else { return false }
      established()
    }
    var progress = TLSSession.Progress.wantsInput
    repeat {
      try decoder.write(minimumBytes: TLSHandler.readBytes) { (room) throws(TLSError) in
        progress = try session.read(into: room)
        if case .bytes(let count) = progress { return count }
        return 0
      }
    } while progress.isBytes && session.hasInput
    return progress == .end
  }

  /// Room for the plaintext of one record (RFC 8446 §5.1).
  private static let readBytes = 16_384

  private func established() {
    guard let context else { return }
    timer?.cancel()
    timer = nil
    phase = .open
    if session.kind == .enrolment { decoder.limit = Limits.enrolmentFrameBytes.rawValue }
    let connection = FramedConnection(
      handler: self, session: session, remoteAddress: remoteAddress, eventLoop: context.eventLoop)
    self.connection = connection
    let receiver = owner.accept(connection)
    self.receiver = receiver
    receiver.connected(connection)
  }

  private func deliverFrames() {
    guard let connection, let receiver else { return }
    do throws(ByteError) {
      while phase == .open {
        let took = try decoder.next { kind, payload in receiver.received(kind, payload, on: connection) }
        if !took { break }
      }
      decoder.compact()
    } catch {
      fail(.frame(error))
    }
  }

  func channelReadComplete(context: ChannelHandlerContext) {
    guard !isWriting else { return context.fireChannelReadComplete() }
    if phase == .open, let connection { receiver?.readComplete(on: connection) }
    isReading = false
    if flushesItself || session.pendingOutput > 0 { flush() }
    context.fireChannelReadComplete()
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) {
    end(.broken(why: "\(error)"))
    context.close(promise: nil)
  }

  func channelInactive(context: ChannelHandlerContext) {
    end(inputEndReason())
    context.fireChannelInactive()
  }

  /// Tells receiver and owner, in a later turn of the loop and once, that the connection is over.
  func end(_ reason: TransportError) {
    phase = .closed
    timer?.cancel()
    timer = nil
    stallTimer?.cancel()
    stallTimer = nil
    notifyEnd(reason)
  }

  /// Like `end`, for a connection that goes on delivering.
  func notifyEnd(_ reason: TransportError) {
    guard !didNotify, let context else { return }
    didNotify = true
    endReason = reason
    let (connection, receiver, owner, hasBegun) = (connection, receiver, owner, hasBegun)
    self.connection = nil
    self.receiver = nil
    context.eventLoop.assumeIsolated().execute {
      owner.ended(self)
      if let connection, let receiver {
        receiver.disconnected(connection, reason: reason.description)
      } else if hasBegun {
        owner.failed(reason)
      }
    }
  }
}
