internal import CShims
internal import Glibc

/// Many connections, to wait for all at once: at a cost of those that have news, not of those that are there.
public final class ConnectionSet {
  /// Negative where the system granted none: then nothing can be added.
  private let descriptor = kv_epoll_create()
  private var tags = [UInt64](repeating: 0, count: ConnectionSet.mostAtOnce)

  private static let mostAtOnce = 256

  /// An empty set.
  public init() {}

  deinit {
    if descriptor >= 0 { Glibc.close(descriptor) }
  }

  /// Adds a connection under a number; it leaves the set when it goes. Where the system refuses: why.
  public func add(_ connection: BlockingConnection, number: Int) -> String? {
    kv_epoll_add(descriptor, connection.descriptor, UInt64(number)) == 0 ? nil : Socket.text(errno)
  }

  /// Waits until some connections can be read, or have ended, and gives their numbers; none at the end of the time, or
  /// when a signal came. What a connection has read already (`hasNews`) doesn't end the wait.
  public func wait(milliseconds: Int) -> [Int] {
    // SAFETY: at most as many tags are written as there is room for.
    let count = tags.withUnsafeMutableBufferPointer {
      kv_epoll_wait(descriptor, $0.baseAddress, Int32($0.count), Int32(clamping: milliseconds))
    }
    return tags.prefix(max(0, Int(count))).map { Int($0) }
  }
}
