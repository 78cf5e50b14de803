internal import Bytes
public import Logging
public import NIOCore
internal import NIOPosix
public import TLS

/// A listening socket and the connections that arrived on it, all on one event loop.
///
/// SAFETY: `@unchecked Sendable`: all state is touched on `eventLoop` only, which each method checks first; so a
/// reference may travel through futures and other threads.
public final class Listener: @unchecked Sendable {
  /// The loop to which the listener and its connections belong.
  public let eventLoop: any EventLoop
  private let logger: Logger
  private let makeReceiver: (FramedConnection) -> any FrameReceiver
  private let flushQueue: FlushQueue
  /// The most connections at a time.
  private let limit: Int
  /// When the log was told last that one was too many.
  private var lastRefusal: NIODeadline?
  private var currentContext: TLSContext
  private var channel: (any Channel)?
  private var handlers: [ObjectIdentifier: TLSHandler] = [:]

  private init(
    context: TLSContext, loop: any EventLoop, limit: Int, logger: Logger,
    makeReceiver: @escaping (FramedConnection) -> any FrameReceiver
  ) {
    eventLoop = loop
    self.limit = limit
    currentContext = context
    flushQueue = FlushQueue(loop)
    self.logger = logger
    self.makeReceiver = makeReceiver
  }

  /// Opens a listener on a loop; call it there. Port 0 takes a free one (`port`). `makeReceiver` gives each connection
  /// its receiver once its handshake is done, before `connected`. Beyond `limit` connections at a time others are closed
  /// as they come.
  public static func bind(
    host: String, port: Int, context: TLSContext, loop: any EventLoop, limit: Int = .max,
    logger: Logger,
    makeReceiver: @escaping (FramedConnection) -> any FrameReceiver
  ) -> EventLoopFuture<Listener> {
    loop.preconditionInEventLoop()
    let listener = Listener(
      context: context, loop: loop, limit: min(limit, Limits.connections), logger: logger, makeReceiver: makeReceiver)
    return ServerBootstrap(group: loop)
      .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
      .serverChannelOption(.backlog, value: 1024)
      .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
      .childChannelOption(.socketOption(.so_keepalive), value: 1)
      .childChannelOption(.tcpOption(.userTimeout), value: Limits.callerSilenceMilliseconds)
      .childChannelOption(.allowRemoteHalfClosure, value: true)
      .childChannelOption(.writeBufferWaterMark, value: .transport)
      .childChannelInitializer { channel in
        channel.eventLoop.makeCompletedFuture { try listener.accept(channel) }
      }
      .bind(host: host, port: port)
      .flatMapErrorThrowing { throw TransportError.bind(address: "\(host):\(port)", why: TransportError.bindWords($0)) }
      .map { channel in
        listener.channel = channel
        return listener
      }
  }

  private func accept(_ channel: any Channel) throws {
    guard handlers.count < limit else {
      let error = TransportError.tooManyConnections(limit: limit)
      noteRefusal(error)
      throw error
    }
    let owner = TLSHandler.Owner(
      accept: makeReceiver, failed: { _ in }, ended: { [weak self] in self?.handlers[ObjectIdentifier($0)] = nil })
    let handler = TLSHandler(
      session: try TLSSession(server: currentContext), isServer: true, logger: logger, owner: owner,
      flushQueue: flushQueue)
    handlers[ObjectIdentifier(handler)] = handler
    try channel.pipeline.syncOperations.addHandler(handler)
  }

  /// Tells the log, but not of each of very many.
  private func noteRefusal(_ error: TransportError) {
    let now = NIODeadline.now()
    guard lastRefusal.map({ now - $0 >= .seconds(1) }) ?? true else { return }
    lastRefusal = now
    logger.warning("refused a connection: \(error)")
  }

  /// The port on which it listens.
  public var port: Int {
    eventLoop.preconditionInEventLoop()
    return channel?.localAddress?.port ?? 0
  }

  /// The TLS context of connections yet to come: a renewed certificate takes effect here, without a restart.
  public var context: TLSContext {
    get {
      eventLoop.preconditionInEventLoop()
      return currentContext
    }
    set {
      eventLoop.preconditionInEventLoop()
      currentContext = newValue
    }
  }

  /// The established connections.
  public var connections: [FramedConnection] {
    eventLoop.preconditionInEventLoop()
    return handlers.values.compactMap(\.connection)
  }

  /// Takes no new connections. The future completes when the port is free.
  @discardableResult
  public func stopAccepting() -> EventLoopFuture<Void> {
    eventLoop.preconditionInEventLoop()
    return channel?.close() ?? eventLoop.makeSucceededVoidFuture()
  }

  /// Closes the established connections that fit, such as those of a revoked certificate.
  public func close(where fits: (FramedConnection) -> Bool) {
    for connection in connections where fits(connection) { connection.close() }
  }

  /// Closes all connections, those still in their handshake too.
  public func closeAll() {
    eventLoop.preconditionInEventLoop()
    for handler in Array(handlers.values) { handler.close() }
  }
}

extension ChannelOptions.Types.WriteBufferWaterMark {
  /// The bounds between which a peer counts as slow.
  static let transport = ChannelOptions.Types.WriteBufferWaterMark(
    low: Limits.outboundLowWater.rawValue, high: Limits.outboundHighWater.rawValue)
}
