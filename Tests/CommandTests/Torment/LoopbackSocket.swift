import Glibc

@testable import Commands

/// A TCP socket of 127.0.0.1 that is closed with its last reference.
final class LoopbackSocket: Sendable {
  private let descriptor: Int32

  private init(_ descriptor: Int32) { self.descriptor = descriptor }

  deinit { close(descriptor) }

  /// A socket that listens on a free port.
  static func listening() throws(CommandError) -> LoopbackSocket {
    let socket = LoopbackSocket(Glibc.socket(AF_INET, Int32(SOCK_STREAM.rawValue) | O_CLOEXEC, 0))
    guard socket.withAddress(port: 0, { bind(socket.descriptor, $0, $1) }) == 0, listen(socket.descriptor, 64) == 0
    else { throw .child("no port for a proxy: \(CommandError.systemWords(errno))") }
    return socket
  }

  /// A connection to a port, or nil where nobody listens.
  static func connected(to port: Int) -> LoopbackSocket? {
    let socket = LoopbackSocket(Glibc.socket(AF_INET, Int32(SOCK_STREAM.rawValue) | O_CLOEXEC, 0))
    return socket.withAddress(port: port) { connect(socket.descriptor, $0, $1) } == 0 ? socket : nil
  }

  /// The socket's own port.
  var port: Int { name(getsockname) }
  /// The port of the other end.
  var peerPort: Int { name(getpeername) }

  /// The next connection, if one comes in time.
  func accept(milliseconds: Int) -> LoopbackSocket? {
    guard waits(milliseconds) else { return nil }
    let accepted = Glibc.accept(descriptor, nil, nil)
    return accepted < 0 ? nil : LoopbackSocket(accepted)
  }

  /// Bytes that have come, as many as fit; 0 where none came in time, nil at the end.
  func receive(into buffer: inout [UInt8], milliseconds: Int) -> Int? {
    guard waits(milliseconds) else { return 0 }
    // SAFETY: recv writes at most as many bytes as the buffer has.
    let count = buffer.withUnsafeMutableBytes { recv(descriptor, $0.baseAddress, $0.count, 0) }
    return count > 0 ? count : nil
  }

  /// Sends all of these bytes; false where the other end takes no more.
  func send(_ bytes: ArraySlice<UInt8>) -> Bool {
    // SAFETY: the offsets stay below the count of the bytes, which are valid during the call.
    bytes.withUnsafeBytes { bytes in
      var sent = 0
      while sent < bytes.count {
        let count = Glibc.send(
          descriptor, bytes.baseAddress.map { $0 + sent }, bytes.count - sent, Int32(MSG_NOSIGNAL))
        guard count > 0 else { return false }
        sent += count
      }
      return true
    }
  }

  func endOutput() { shutdown(descriptor, Int32(SHUT_WR)) }
  func endInput() { shutdown(descriptor, Int32(SHUT_RD)) }

  private func waits(_ milliseconds: Int) -> Bool {
    var event = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
    return poll(&event, 1, Int32(milliseconds)) > 0
  }

  private func withAddress<Result>(
    port: Int, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Result
  ) -> Result {
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = in_port_t(port).bigEndian
    address.sin_addr.s_addr = in_addr_t(0x7f00_0001).bigEndian
    // SAFETY: a sockaddr_in is what the calls take behind a sockaddr for AF_INET, with its size.
    return withUnsafePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0, socklen_t(MemoryLayout<sockaddr_in>.size)) }
    }
  }

  private func name(
    _ call: (Int32, UnsafeMutablePointer<sockaddr>, UnsafeMutablePointer<socklen_t>) -> Int32
  ) -> Int {
    var address = sockaddr_in()
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    // SAFETY: a sockaddr_in is what the call fills for AF_INET; `length` is its size.
    return withUnsafeMutablePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { general in
        call(descriptor, general, &length) == 0 ? Int(in_port_t(bigEndian: pointer.pointee.sin_port)) : 0
      }
    }
  }
}

/// Whose a socket of this machine is, by proc(5).
enum SocketOwner {
  /// The process among some that has the socket bound to a port of 127.0.0.1; nil where none of them has it.
  static func find(localPort: Int, among processes: [pid_t]) -> pid_t? {
    guard let inode = inode(localPort: localPort) else { return nil }
    return processes.first { pid in
      DirectoryTree.entries("/proc/\(pid)/fd").contains { entry in
        let target = [UInt8](unsafeUninitializedCapacity: 64) { buffer, count in
          // SAFETY: readlink writes at most as many bytes as it is told, and says how many.
          let path = "/proc/\(pid)/fd/\(entry.name)"
          count = buffer.withMemoryRebound(to: CChar.self) { buffer in
            max(0, buffer.baseAddress.map { readlink(path, $0, buffer.count) } ?? 0)
          }
        }
        return target == Array("socket:[\(inode)]".utf8)
      }
    }
  }

  private static func inode(localPort: Int) -> String? {
    guard let input = try? InputStream(opening: "/proc/net/tcp"), let bytes = try? input.all(limit: 1 << 24) else {
      return nil
    }
    let digits = String(localPort, radix: 16, uppercase: true)
    let local = "0100007F:" + String(repeating: "0", count: 4 - digits.count) + digits
    for line in String(decoding: bytes, as: UTF8.self).split(separator: "\n") {
      let fields = line.split(separator: " ")
      if fields.count > 9, fields[1] == local, fields[9] != "0" { return String(fields[9]) }
    }
    return nil
  }
}
