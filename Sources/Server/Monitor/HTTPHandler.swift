import NIOCore

/// One connection of the monitor's port: takes one request in, answers it, and closes. A client that sends slowly, too
/// much or nothing is answered and closed too.
final class HTTPHandler: ChannelInboundHandler {
  typealias InboundIn = ByteBuffer
  typealias OutboundOut = ByteBuffer

  /// Gives the answer to a request, now or later, on the connection's loop.
  private let answer: (HTTPRequest) -> EventLoopFuture<HTTPAnswer>
  private var received: [UInt8] = []
  private var hasAnswered = false
  private var timer: Scheduled<Void>?

  /// How long a request may take to arrive, and its answer to leave, in seconds.
  static let patience: Int64 = 10

  init(answer: @escaping (HTTPRequest) -> EventLoopFuture<HTTPAnswer>) {
    self.answer = answer
  }

  func channelActive(context: ChannelHandlerContext) {
    let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
    timer = context.eventLoop.scheduleTask(in: .seconds(HTTPHandler.patience)) {
      let (handler, context) = bound.value
      handler.send(.only(.timeout), isHead: false, context)
    }
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    guard !hasAnswered else { return }
    let bytes = unwrapInboundIn(data)
    // One byte beyond the longest tells that it is too long.
    received.append(contentsOf: bytes.readableBytesView.prefix(HTTPRequest.longest + 1 - received.count))
    switch HTTPRequest.read(received) {
    case .incomplete: return
    case .refused(let status): send(.only(status), isHead: false, context)
    case .complete(let request):
      hasAnswered = true
      let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
      answer(request).whenComplete { result in
        let (handler, context) = bound.value
        handler.hasAnswered = false
        handler.send((try? result.get()) ?? .only(.unavailable), isHead: request.isHead, context)
      }
    }
  }

  /// Answers once, and closes when the answer has left, or when it has not left in time.
  private func send(_ answer: HTTPAnswer, isHead: Bool, _ context: ChannelHandlerContext) {
    guard !hasAnswered else { return }
    hasAnswered = true
    timer?.cancel()
    let buffer = context.channel.allocator.buffer(bytes: answer.encoded(isHead: isHead))
    let bound = NIOLoopBound(context, eventLoop: context.eventLoop)
    timer = context.eventLoop.scheduleTask(in: .seconds(HTTPHandler.patience)) {
      bound.value.close(promise: nil)
    }
    context.writeAndFlush(wrapOutboundOut(buffer)).whenComplete { _ in bound.value.close(promise: nil) }
  }

  /// A client may close its sending side behind a request and still be answered; half a request is none.
  func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
    if case .inputClosed? = event as? ChannelEvent, !hasAnswered { context.close(promise: nil) }
    context.fireUserInboundEventTriggered(event)
  }

  func channelInactive(context: ChannelHandlerContext) {
    timer?.cancel()
    hasAnswered = true
    context.fireChannelInactive()
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) {
    context.close(promise: nil)
  }
}
