internal import Bytes
internal import Logging
internal import NIOCore
internal import TLS

extension TLSHandler {
  /// This side closes: output, farewell, end.
  func close() {
    guard phase == .open || phase == .handshaking else { return }
    leave(.closedHere)
  }

  /// The peer has said farewell: what was sent to it is still delivered.
  func closeAfterPeer() {
    guard phase == .open, let connection else { return }
    receiver?.readComplete(on: connection)
    guard phase == .open else { return }
    leave(.closedByPeer)
  }

  private func leave(_ reason: TransportError) {
    flush()
    session.close()
    linger(reason)
  }

  /// The connection is closed for an error. The peer is told by an alert, if TLS has one for it.
  func fail(_ error: TransportError) {
    guard phase == .open || phase == .handshaking else { return }
    report(error)
    switch error {
    case .tls(.notTLS), .handshakeTimeout, .slowPeer:
      let context = context
      end(error)
      context?.close(promise: nil)
    case .frame:
      // The replies to the frames before it are owed.
      leave(error)
    default:
      linger(error)
    }
  }

  /// Sends what TLS has left to say and shuts the sending direction down. Input is read and dropped until the peer
  /// closes too: closing with unread input would send a reset, which can overtake the alert and destroy it.
  private func linger(_ reason: TransportError) {
    guard phase == .open || phase == .handshaking else { return }
    phase = .lingering
    flush()
    timer?.cancel()
    stallTimer?.cancel()
    stallTimer = nil
    notifyEnd(reason)
    guard let context else { return }
    let channel = context.channel
    isOutputClosed = true
    timer = context.eventLoop.assumeIsolated().scheduleTask(in: .milliseconds(Limits.lingerMilliseconds)) {
      channel.close(promise: nil)
    }
    context.close(mode: .output).assumeIsolated().whenComplete { _ in
      self.isOutputDelivered = true
      if self.isInputClosed { channel.close(promise: nil) }
    }
    if isReadPaused {
      isReadPaused = false
      context.read()
    }
  }

  /// Input has ended: `ChannelEvent.inputClosed`.
  func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
    if let event = event as? ChannelEvent, event == .inputClosed {
      isInputClosed = true
      switch phase {
      case .handshaking, .open:
        let reason = inputEndReason()
        report(reason)
        end(reason)
        context.close(promise: nil)
      case .lingering:
        if isOutputDelivered { context.close(promise: nil) }
      case .closed: break
      }
    }
    context.fireUserInboundEventTriggered(event)
  }

  /// What it means that the transport gives no more input.
  func inputEndReason() -> TransportError {
    session.inputEnded().map { .tls($0) } ?? .closedByPeer
  }

  /// Tells the log of a failure: of a port scan quietly, of a peer that was refused clearly.
  private func report(_ error: TransportError) {
    let level: Logger.Level =
      switch error {
      case .tls(.notTLS), .tls(.closedDuringHandshake), .handshakeTimeout, .tls(.truncated), .tls(.closed): .debug
      case .frame: .error
      case .slowPeer: .warning
      default: .notice
      }
    let who = connection?.peer.map { "\($0) at \(remoteAddress)" } ?? remoteAddress
    logger.log(level: level, "closed the connection with \(who): \(error)")
  }
}
