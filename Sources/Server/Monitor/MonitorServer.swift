import Bytes
import Logging
import NIOCore
import NIOPosix
import Transport

/// The monitor's port: metrics, health and the status page of one node, read-only, in plain HTTP on loopback. It runs on
/// a thread of its own; the node's is asked for nothing but a look.
final class MonitorServer: Sendable {
  private let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
  private let look: @Sendable () -> EventLoopFuture<MonitorSnapshot>

  /// The most connections at once; one more is closed.
  private static let connections = 64

  /// - Parameter look: takes a look at the node, on its loop.
  init(look: @escaping @Sendable () -> EventLoopFuture<MonitorSnapshot>) {
    self.look = look
  }

  /// The address that is wanted, if it is one of loopback.
  static func address(_ wanted: String) throws(ServerError) -> HostPort {
    guard let address = HostPort(parsing: wanted, toListen: true) else {
      throw .usage("--metrics: '\(wanted)' is no HOST:PORT to listen on; say 127.0.0.1:9090, for instance")
    }
    guard isLoopback(address.host) else {
      throw .usage(
        "--metrics \(address): metrics are served without encryption, on loopback alone; use 127.0.0.1:\(address.port),"
          + " and a proxy or tunnel for other machines")
    }
    return address
  }

  /// Starts to serve; gives the port.
  func start(on address: HostPort) throws(ServerError) -> Int {
    let loop = group.next()
    let count = NIOLoopBoundBox.makeBoxSendingValue(0, eventLoop: loop)
    do {
      let channel = try ServerBootstrap(group: loop)
        .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
        .childChannelOption(.allowRemoteHalfClosure, value: true)
        .childChannelInitializer { [self] channel in
          channel.eventLoop.makeCompletedFuture {
            guard count.value < MonitorServer.connections else { throw ChannelError.operationUnsupported }
            count.value += 1
            channel.closeFuture.whenComplete { _ in count.value -= 1 }
            try channel.pipeline.syncOperations.addHandler(
              HTTPHandler { [self] request in answer(request, on: loop) })
          }
        }
        .bind(host: address.host, port: address.port).wait()
      return channel.localAddress?.port ?? address.port
    } catch {
      throw .listen(address: "\(address)", words: TransportError.bindWords(error))
    }
  }

  /// Ends all of it.
  func stop() { try? group.syncShutdownGracefully() }

  private func answer(_ request: HTTPRequest, on loop: any EventLoop) -> EventLoopFuture<HTTPAnswer> {
    // Another site's name for this host's loopback is that site's way around the browser's rules.
    if let host = request.host, !MonitorServer.isLoopback(host) {
      return loop.makeSucceededFuture(.only(.forbidden))
    }
    guard let page = MonitorPage(rawValue: request.path) else { return loop.makeSucceededFuture(.only(.notFound)) }
    guard page.showsNode else { return loop.makeSucceededFuture(page.answer(nil)) }
    return look().hop(to: loop).map { page.answer($0) }
  }

  static func isLoopback(_ host: String) -> Bool {
    host == "localhost" || host == "::1" || host.hasPrefix("127.") && host.allSatisfy { $0 == "." || $0.isNumber }
  }
}
