import Glibc

/// The service manager that started this process, if one did: systemd, told how far the node is by datagrams to a
/// socket that it names (sd_notify(3)).
struct ServiceManager {
  private let socket: String?

  /// - Parameter socket: the value of `NOTIFY_SOCKET`: a path, or `@` and an abstract name.
  init(socket: String?) {
    self.socket = socket.flatMap { $0.hasPrefix("/") || $0.hasPrefix("@") ? $0 : nil }
  }

  /// Tells the manager something, in lines `NAME=value`. Where it can't be told nobody else cares.
  func tell(_ state: String) {
    guard let socket else { return }
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    var name = Array(socket.utf8)
    // A name that begins with NUL is in the abstract namespace (unix(7)).
    if name[0] == UInt8(ascii: "@") { name[0] = 0 }
    guard name.count < MemoryLayout.size(ofValue: address.sun_path) else { return }
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: name) }
    let length = socklen_t(MemoryLayout<sa_family_t>.size + name.count)
    let descriptor = Glibc.socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue) | O_CLOEXEC, 0)
    guard descriptor >= 0 else { return }
    defer { close(descriptor) }
    let text = Array(state.utf8)
    // SAFETY: a sockaddr_un is a sockaddr for calls that are told its length; address and text live for the call.
    withUnsafePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { generic in
        _ = sendto(descriptor, text, text.count, Int32(MSG_NOSIGNAL), generic, length)
      }
    }
  }
}
