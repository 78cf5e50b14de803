import Bytes
import Glibc

/// Bytes that come from a file descriptor, read in large pieces and handed out in lines or counted parts.
public final class InputStream {
  /// The name of the file or stream, for messages.
  public let path: String
  private let descriptor: Int32
  private let closesDescriptor: Bool
  private var buffer: [UInt8] = []
  private var start = 0
  private var ended = false
  /// Called before a read that has to wait: for those who have work to finish meanwhile.
  public var beforeWaiting: (() throws(CommandError) -> Void)?

  /// A stream from an open descriptor, which stays the caller's.
  public init(descriptor: Int32, path: String) {
    self.descriptor = descriptor
    self.path = path
    self.closesDescriptor = false
  }

  /// A stream from a file; `-` is standard input.
  public init(opening path: String) throws(CommandError) {
    self.path = path == "-" ? "standard input" : path
    self.closesDescriptor = path != "-"
    self.descriptor = path == "-" ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC)
    if descriptor < 0 { throw .file(operation: "open", path: path, code: errno) }
  }

  deinit {
    if closesDescriptor, descriptor >= 0 { close(descriptor) }
  }

  /// Whether everything was handed out.
  public func isAtEnd() throws(CommandError) -> Bool {
    if start < buffer.count { return false }
    return try !fill()
  }

  /// The bytes up to the next `delimiter`, which is passed over, or up to the end.
  public func part(upTo delimiter: UInt8, limit: Int) throws(CommandError) -> Part {
    var searched = start
    while true {
      if let end = index(of: delimiter, from: searched), end - start <= limit {
        defer { start = end + 1 }
        return .complete(Array(buffer[start..<end]))
      }
      if buffer.count - start > limit { return .tooLong }
      searched = buffer.count - start
      let more = try fill()
      searched += start
      guard more else {
        defer { start = buffer.count }
        return start == buffer.count ? .end : .unfinished(Array(buffer[start...]))
      }
    }
  }

  /// What `part` found.
  public enum Part: Equatable {
    /// A part that its delimiter ended.
    case complete([UInt8])
    /// What was left before the end, without a delimiter.
    case unfinished([UInt8])
    /// No delimiter within the limit; nothing was passed over.
    case tooLong
    /// Nothing is left.
    case end
  }

  /// Passes over everything up to and with the next `delimiter`.
  public func skip(past delimiter: UInt8) throws(CommandError) {
    repeat {
      if let end = index(of: delimiter, from: start) {
        start = end + 1
        return
      }
      start = buffer.count
    } while try fill()
  }

  /// The next `count` bytes; nil if fewer are left.
  public func bytes(_ count: Int) throws(CommandError) -> [UInt8]? {
    while buffer.count - start < count {
      guard try fill() else { return nil }
    }
    defer { start += count }
    return Array(buffer[start..<start + count])
  }

  /// Everything up to the end; nil if that is more than `limit` bytes.
  public func all(limit: Int) throws(CommandError) -> [UInt8]? {
    while buffer.count - start <= limit {
      guard try fill() else {
        defer { start = buffer.count }
        return Array(buffer[start...])
      }
    }
    return nil
  }

  private func index(of byte: UInt8, from: Int) -> Int? {
    buffer.withUnsafeBytes { bytes in
      // SAFETY: memchr reads the bytes from `from` to the end of the buffer, which is valid throughout.
      guard from < bytes.count, let base = bytes.baseAddress,
        let found = memchr(base + from, Int32(byte), bytes.count - from)
      else { return nil }
      return UnsafeRawPointer(found) - base
    }
  }

  /// Reads more behind what is there; false at the end.
  private func fill() throws(CommandError) -> Bool {
    if ended { return false }
    if start > 0 {
      buffer.removeFirst(start)
      start = 0
    }
    if let beforeWaiting, !isReadable(within: 0) {
      try beforeWaiting()
    }
    let size = max(InputStream.pieceBytes, buffer.count)
    while true {
      var count = 0
      let piece = [UInt8](unsafeUninitializedCapacity: size) { space, filled in
        // SAFETY: read writes at most the bytes of the space, and says how many.
        count = read(descriptor, space.baseAddress, space.count)
        filled = max(0, count)
      }
      if count < 0, errno == EINTR { continue }
      if count < 0 { throw .file(operation: "read", path: path, code: errno) }
      buffer += piece
      ended = count == 0
      return !ended
    }
  }

  /// Whether a read would not wait, now or within so many milliseconds.
  public func isReadable(within milliseconds: Int32) -> Bool {
    var request = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
    return poll(&request, 1, milliseconds) != 0
  }

  private static let pieceBytes = 64 << 10
}
