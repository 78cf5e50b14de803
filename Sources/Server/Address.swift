import Bytes
import Glibc
import Transport

/// Finding out where a node listens.
enum Address {
  /// The address to listen on: the one that is wanted, or the first free port of loopback from the default on.
  static func choose(_ wanted: String?) throws(ServerError) -> HostPort {
    if let wanted {
      guard let address = HostPort(parsing: wanted, toListen: true) else {
        throw .usage("'\(wanted)' is no HOST:PORT to listen on; say 127.0.0.1:4711, for instance")
      }
      return address.port == 0 ? HostPort(host: address.host, port: try freePort(on: address.host)) : address
    }
    for port in ServeOptions.defaultPort..<ServeOptions.defaultPort + ServeOptions.portsTried where isFree(port) {
      return HostPort(host: "127.0.0.1", port: port)
    }
    let last = ServeOptions.defaultPort + ServeOptions.portsTried - 1
    throw .listen(
      address: "127.0.0.1:\(ServeOptions.defaultPort)–\(last)", words: "all ports are taken; give one with --listen")
  }

  /// The address on which a node listens that listened on another one. Port 0 is the port that it had.
  static func moved(from listen: String, to wanted: String?) throws(ServerError) -> HostPort {
    guard let wanted, let address = HostPort(parsing: wanted, toListen: true), address.port == 0,
      let before = HostPort(parsing: listen)
    else { return try choose(wanted ?? listen) }
    return HostPort(host: address.host, port: before.port)
  }

  /// The address that others are told: where it listens, unless that stands for every address of the host.
  static func advertised(_ wanted: String?, listen: HostPort) throws(ServerError) -> String {
    if let wanted {
      guard let address = HostPort(parsing: wanted) else {
        throw .usage("'\(wanted)' is no HOST:PORT for others to reach the node")
      }
      return "\(address)"
    }
    guard !["0.0.0.0", "::"].contains(listen.host) else {
      throw .usage("a node that listens on \(listen) needs --advertise HOST:PORT, where others reach it")
    }
    return "\(listen)"
  }

  /// Sees to it that a node could listen there, and serve its metrics, before anything is made that a failure would
  /// leave behind.
  static func check(_ listen: HostPort, metrics: HostPort?) throws(ServerError) {
    let reserved = try reserve(listen)
    defer { close(reserved) }
    guard let metrics else { return }
    do {
      close(try reserve(metrics))
    } catch {
      guard metrics.port == listen.port else { throw error }
      throw .usage(
        "--metrics \(metrics): the node itself listens there for others; give its metrics a port of their own")
    }
  }

  /// A socket that listens there, for the caller to close.
  private static func reserve(_ address: HostPort) throws(ServerError) -> Int32 {
    var hints = addrinfo()
    hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
    hints.ai_flags = AI_PASSIVE
    var found: UnsafeMutablePointer<addrinfo>?
    let code = getaddrinfo(address.host, "\(address.port)", &hints, &found)
    guard code == 0, let first = found else {
      throw .listen(address: "\(address)", words: String(cString: gai_strerror(code)))
    }
    // SAFETY: the list is the library's until it is freed, after the last use.
    defer { freeaddrinfo(found) }
    let descriptor = socket(first.pointee.ai_family, Int32(SOCK_STREAM.rawValue) | O_CLOEXEC, 0)
    guard descriptor >= 0 else {
      throw .listen(address: "\(address)", words: TransportError.bindWords(errno))
    }
    var one: Int32 = 1
    setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &one, socklen_t(MemoryLayout<Int32>.size))
    guard bind(descriptor, first.pointee.ai_addr, first.pointee.ai_addrlen) == 0, Glibc.listen(descriptor, 1) == 0
    else {
      let code = errno
      close(descriptor)
      throw .listen(address: "\(address)", words: TransportError.bindWords(code))
    }
    return descriptor
  }

  private static func isFree(_ port: Int) -> Bool { boundPort(port, host: "127.0.0.1") != nil }

  private static func freePort(on host: String) throws(ServerError) -> Int {
    guard let port = boundPort(0, host: ["::1", "::"].contains(host) ? nil : host) else {
      throw .listen(address: "\(host):0", words: "no port is free there")
    }
    return port
  }

  /// The port to which a socket could be bound for a moment.
  private static func boundPort(_ port: Int, host: String?) -> Int? {
    let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | O_CLOEXEC, 0)
    guard descriptor >= 0 else { return nil }
    defer { close(descriptor) }
    var one: Int32 = 1
    setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &one, socklen_t(MemoryLayout<Int32>.size))
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = in_port_t(port).bigEndian
    if let host, inet_pton(AF_INET, host, &address.sin_addr) != 1 { address.sin_addr.s_addr = 0 }
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    // SAFETY: a sockaddr_in is a sockaddr for calls that are told its length; it lives for both calls.
    return withUnsafeMutablePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { generic in
        guard bind(descriptor, generic, length) == 0, getsockname(descriptor, generic, &length) == 0 else { return nil }
        return Int(UInt16(bigEndian: pointer.pointee.sin_port))
      }
    }
  }
}
