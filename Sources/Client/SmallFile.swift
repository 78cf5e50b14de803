import Glibc

/// Reads and replaces small files of the user's, whole.
enum SmallFile {
  /// A failed call; the system's error number.
  struct Failure: Error {
    let code: Int32
  }

  /// The content of a regular file, refused above `limit` bytes (EFBIG).
  static func read(_ path: String, limit: Int, isPrivate: Bool = false) -> Result<[UInt8], Failure> {
    let file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | (isPrivate ? O_NOFOLLOW : 0))
    guard file >= 0 else { return failure }
    defer { close(file) }
    var facts = stat()
    guard fstat(file, &facts) == 0 else { return failure }
    guard !isPrivate || facts.st_uid == geteuid() && facts.st_mode & 0o077 == 0 else {
      return .failure(Failure(code: EPERM))
    }
    var bytes: [UInt8] = []
    var part = [UInt8](repeating: 0, count: 16 << 10)
    while true {
      // SAFETY: read fills at most as many bytes as the array has.
      let count = part.withUnsafeMutableBytes { Glibc.read(file, $0.baseAddress, $0.count) }
      if count < 0, errno == EINTR { continue }
      guard count >= 0 else { return failure }
      if count == 0 { return .success(bytes) }
      guard bytes.count + count <= limit else { return .failure(Failure(code: EFBIG)) }
      bytes += part[..<count]
    }
  }

  /// Replaces a file, mode 0600: readers see the old content or the new one. It is not made durable.
  static func replace(_ path: String, with bytes: [UInt8]) -> Result<Void, Failure> {
    let temporary = "\(path).\(getpid())"
    let file = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0o600)
    guard file >= 0 else { return failure.map { _ in } }
    var written = 0
    while written < bytes.count {
      // SAFETY: the slice is valid while write reads it.
      let count = bytes[written...].withUnsafeBytes { write(file, $0.baseAddress, $0.count) }
      if count < 0, errno == EINTR { continue }
      guard count > 0 else { break }
      written += count
    }
    let isWhole = written == bytes.count
    guard close(file) == 0, isWhole, rename(temporary, path) == 0 else {
      let code = errno
      unlink(temporary)
      return .failure(Failure(code: code))
    }
    return .success(())
  }

  private static var failure: Result<[UInt8], Failure> { .failure(Failure(code: errno)) }
}
