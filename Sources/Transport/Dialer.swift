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
    let owner = TLSHandler.Owner(accept: { _ in receiver }, failed: failed, ended: { _ in })
    let bound = NIOLoopBound((owner: owner, failed: failed), eventLoop: loop)
    ClientBootstrap(group: loop)
      .connectTimeout(timeout)
      .channelOption(.tcpOption(.tcp_nodelay), value: 1)
      .channelOption(.allowRemoteHalfClosure, value: true)
      .channelOption(.writeBufferWaterMark, value: .transport)
      .channelInitializer { channel in
        channel.eventLoop.makeCompletedFuture {
          let session = try TLSSession(client: context, expected: expected, resuming: resuming)
          let handler = TLSHandler(session: session, isServer: false, logger: logger, owner: bound.value.owner)
          try channel.pipeline.syncOperations.addHandler(handler)
        }
      }
      .connect(host: host, port: port)
      .whenFailure { error in
        bound.value.failed(.connect(address: "\(host):\(port)", why: "\(error)"))
      }
  }
}
