internal import Glibc

/// A TCP socket that never blocks by itself; waiting is `wait`'s work, up to a deadline. Closed when it goes.
struct Socket: ~Copyable {
  let descriptor: Int32

  private init(descriptor: Int32) {
    self.descriptor = descriptor
  }

  deinit {
    Glibc.close(descriptor)
  }

  /// Connects to the first of a host's addresses that accepts. Names are resolved by the system, which may take longer
  /// than the deadline.
  static func connect(host: String, port: Int, until deadline: Deadline) throws(ConnectionError) -> Socket {
    let bare = host.hasPrefix("[") && host.hasSuffix("]") ? String(host.dropFirst().dropLast()) : host
    var hints = addrinfo()
    hints.ai_family = AF_UNSPEC
    hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
    hints.ai_flags = AI_NUMERICSERV
    var list: UnsafeMutablePointer<addrinfo>?
    let result = getaddrinfo(bare, String(port), &hints, &list)
    guard result == 0, let list else {
      throw .unresolved(host: host, why: String(cString: gai_strerror(result)))
    }
    // SAFETY: the list is valid until it is freed here, after its last use.
    defer { freeaddrinfo(list) }
    let addresses = Array(sequence(first: list) { $0.pointee.ai_next })
    var failure = ConnectionError.unresolved(host: host, why: "no address")
    for (index, address) in addresses.enumerated() {
      // Addresses that swallow packets must not use up the time of those that follow.
      let share = Deadline(milliseconds: deadline.remaining / (addresses.count - index))
      do throws(ConnectionError) {
        let name = bare.contains(":") ? "[\(bare)]:\(port)" : "\(bare):\(port)"
        return try connect(to: address.pointee, name: name, until: share, of: deadline)
      } catch {
        failure = error
      }
    }
    throw failure
  }

  private static func connect(
    to address: addrinfo, name: String, until share: Deadline, of deadline: Deadline
  ) throws(ConnectionError) -> Socket {
    let type = address.ai_socktype | Int32(SOCK_NONBLOCK.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
    let descriptor = Glibc.socket(address.ai_family, type, address.ai_protocol)
    guard descriptor >= 0 else { throw .unreachable(address: name, why: text(errno)) }
    let socket = Socket(descriptor: descriptor)
    var on: Int32 = 1
    // Without effect on correctness: a failure costs time only.
    setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &on, socklen_t(MemoryLayout<Int32>.size))
    // SAFETY: getaddrinfo's address and its length belong together.
    var code: Int32 = Glibc.connect(descriptor, address.ai_addr, address.ai_addrlen) == 0 ? 0 : errno
    if code == EINPROGRESS {
      guard socket.wait(for: POLLOUT, until: share) != 0 else {
        throw .timeout(.connect, milliseconds: deadline.milliseconds, sent: 0)
      }
      var size = socklen_t(MemoryLayout<Int32>.size)
      if getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &code, &size) != 0 { code = errno }
    }
    switch code {
    case 0: return socket
    case ECONNREFUSED: throw .refused(address: name)
    default: throw .unreachable(address: name, why: text(code))
    }
  }

  /// Ends both directions now; the descriptor lives on until the socket goes.
  func shutDown() {
    _ = Glibc.shutdown(descriptor, Int32(SHUT_RDWR))
  }

  /// Waits until one of the events (`POLLIN`, `POLLOUT`) or an error; gives them, or 0 at the deadline.
  func wait(for events: Int32, until deadline: Deadline) -> Int32 {
    var entry = pollfd(fd: descriptor, events: Int16(events), revents: 0)
    while true {
      let count = poll(&entry, 1, Int32(clamping: deadline.remaining))
      if count > 0 { return Int32(entry.revents) }
      if count == 0 { return 0 }
      // Interrupted by a signal: wait for the rest. Any other failure shows in the read or write that follows.
      if errno != EINTR { return events }
    }
  }

  /// What a read or write gave.
  enum Transfer {
    case bytes(Int)
    case wouldBlock
    case failed(Int32)
  }

  /// Reads what has arrived; 0 bytes at the end of input.
  func receive(into buffer: UnsafeMutableRawBufferPointer) -> Transfer {
    // SAFETY: writes at most `buffer.count` bytes.
    transfer { recv(descriptor, buffer.baseAddress, buffer.count, 0) }
  }

  /// Writes what the kernel takes at once. A closed connection is an error, never a signal.
  func send(_ bytes: UnsafeRawBufferPointer) -> Transfer {
    // SAFETY: reads at most `bytes.count` bytes.
    transfer { Glibc.send(descriptor, bytes.baseAddress, bytes.count, Int32(MSG_NOSIGNAL)) }
  }

  private func transfer(_ call: () -> Int) -> Transfer {
    while true {
      let count = call()
      if count >= 0 { return .bytes(count) }
      switch errno {
      case EINTR: continue
      case EAGAIN: return .wouldBlock
      case let code: return .failed(code)
      }
    }
  }

  /// The system's words for an error number.
  static func text(_ code: Int32) -> String {
    var words = [CChar](repeating: 0, count: 128)
    // SAFETY: writes at most the given number of bytes, a terminating zero among them.
    guard strerror_r(code, &words, words.count) == 0 else { return "error \(code)" }
    return String(decoding: words.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }
}
