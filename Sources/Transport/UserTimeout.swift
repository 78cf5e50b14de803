import Glibc
import NIOCore

extension NIOBSDSocket.Option {
  /// How long sent data may stay without acknowledgement, in milliseconds (RFC 5482, tcp(7)).
  static let userTimeout = NIOBSDSocket.Option(rawValue: TCP_USER_TIMEOUT)
}
