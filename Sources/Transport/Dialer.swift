public import Bytes
public import Logging
public import NIOCore
internal import NIOPosix
public import TLS

/// Makes connections to nodes.
public enum Dialer {
  /// Connects to a node; call it on the loop. Either the receiver's `connected` follows, or `failed`, once. With
  /// `expected`, a peer that is another node is refused. `resuming` is an earlier connection's `resumption`.
  public static func connect(
    host: String, port: Int, context: TLSContext, expected: NodeID? = nil, resuming: [UInt8]? = nil,
    on loop: any EventLoop, receiver: any FrameReceiver, timeout: TimeAmount = .seconds(5), logger: Logger,
    failed: @escaping (TransportError) -> Void
  ) {
    loop.preconditionInEventLoop()
    let address = host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
    let bound = NIOLoopBound((receiver: receiver, failed: failed), eventLoop: loop)
    ClientBootstrap(group: loop)
      .connectTimeout(timeout)
      .channelOption(.tcpOption(.tcp_nodelay), value: 1)
      .channelOption(.tcpOption(.userTimeout), value: Limits.nodeSilenceMilliseconds)
      .channelOption(.allowRemoteHalfClosure, value: true)
      .channelOption(.writeBufferWaterMark, value: .transport)
      .connect(host: host, port: port)
      .hop(to: loop)
      .whenComplete { result in
        let (receiver, failed) = bound.value
        do {
          let channel = try result.mapError { TransportError.connect(address: address, why: "\($0)") }.get()
          // The handler comes only now: a host with several addresses is tried by several channels, of which one wins.
          let owner = TLSHandler.Owner(accept: { _ in receiver }, failed: failed, ended: { _ in })
          try start(channel, context, expected, resuming, logger, owner)
        } catch let error as TransportError {
          failed(error)
        } catch {
          failed(.broken(why: "\(error)"))
        }
      }
  }

  private static func start(
    _ channel: any Channel, _ context: TLSContext, _ expected: NodeID?, _ resuming: [UInt8]?, _ logger: Logger,
    _ owner: TLSHandler.Owner
  ) throws(TransportError) {
    do {
      let session = try TLSSession(client: context, expected: expected, resuming: resuming)
      let handler = TLSHandler(
        session: session, isServer: false, logger: logger, owner: owner, flushQueue: FlushQueue(channel.eventLoop))
      try channel.pipeline.syncOperations.addHandler(handler)
    } catch {
      channel.close(promise: nil)
      if let error = error as? TLSError { throw .tls(error) }
      throw .broken(why: "\(error)")
    }
  }
}
