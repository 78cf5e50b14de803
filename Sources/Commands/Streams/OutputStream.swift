import Bytes
import Glibc

/// Bytes on their way to a file descriptor, gathered into large writes.
public final class OutputStream {
  private let descriptor: Int32
  private let path: String
  private var pending: [UInt8] = []

  /// A stream to an open descriptor, which stays the caller's; `path` is its name in errors.
  public init(descriptor: Int32, path: String) {
    self.descriptor = descriptor
    self.path = path
  }

  /// A stream to standard output.
  public static func standardOutput() -> OutputStream {
    OutputStream(descriptor: STDOUT_FILENO, path: "standard output")
  }

  /// Whether a person looks at it.
  public var isTerminal: Bool { isatty(descriptor) == 1 }

  /// Whether somebody may read it yet: of a pipe or a terminal it is known when not (poll(2), POLLERR and POLLHUP).
  public var hasReader: Bool {
    var request = pollfd(fd: descriptor, events: 0, revents: 0)
    return poll(&request, 1, 0) <= 0 || Int32(request.revents) & (POLLERR | POLLHUP) == 0
  }

  /// Takes bytes, and writes when enough have gathered.
  public func write(_ bytes: some Collection<UInt8>) throws(CommandError) {
    pending.append(contentsOf: bytes)
    if pending.count >= OutputStream.bufferBytes { try flush() }
  }

  /// Takes the bytes that `append` adds: no copy in between.
  public func write(appending append: (inout [UInt8]) throws(CommandError) -> Void) throws(CommandError) {
    try append(&pending)
    if pending.count >= OutputStream.bufferBytes { try flush() }
  }

  /// Takes a line of text.
  public func line(_ text: String) throws(CommandError) {
    try write((text + "\n").utf8)
  }

  /// Writes all that has gathered.
  public func flush() throws(CommandError) {
    var offset = 0
    defer { pending.removeAll(keepingCapacity: true) }
    while offset < pending.count {
      // SAFETY: the buffer is valid for the bytes behind `offset`; write only reads them.
      let count = pending.withUnsafeBytes {
        Glibc.write(descriptor, $0.baseAddress?.advanced(by: offset), $0.count - offset)
      }
      if count >= 0 {
        offset += count
      } else if errno == EPIPE {
        throw .outputClosed
      } else if errno == EAGAIN {
        waitUntilWritable()
      } else if errno != EINTR {
        throw .file(operation: "write", path: path, code: errno)
      }
    }
  }

  private func waitUntilWritable() {
    var request = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
    poll(&request, 1, -1)
  }

  private static let bufferBytes = 64 << 10
}
