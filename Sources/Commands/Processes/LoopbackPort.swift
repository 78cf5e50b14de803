import Glibc

/// Ports of the loopback interface.
enum LoopbackPort {
  /// So many ports that nobody uses at this moment.
  static func free(_ count: Int) throws(CommandError) -> [Int] {
    var ports: [Int] = []
    var sockets: [Int32] = []
    defer { for socket in sockets { close(socket) } }
    for _ in 0..<count {
      let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
      guard descriptor >= 0 else { throw .child("no socket: \(CommandError.systemWords(errno))") }
      // All stay open until the last is found, so that none comes twice.
      sockets.append(descriptor)
      guard let port = bindAnywhere(descriptor) else {
        throw .child("no free port on 127.0.0.1: \(CommandError.systemWords(errno))")
      }
      ports.append(port)
    }
    return ports
  }

  private static func bindAnywhere(_ descriptor: Int32) -> Int? {
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    // SAFETY: a sockaddr_in is what these calls take behind a sockaddr for AF_INET; `length` is its size.
    return withUnsafeMutablePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { general in
        guard bind(descriptor, general, length) == 0, getsockname(descriptor, general, &length) == 0 else { return nil }
        return Int(UInt16(bigEndian: pointer.pointee.sin_port))
      }
    }
  }
}
