import Glibc

/// Why a data directory could not be locked.
public enum DirectoryLockError: Error, Equatable, Sendable, CustomStringConvertible {
  /// Another process has it; its number, where the lock file tells.
  case held(path: String, pid: Int32?)
  /// The lock file could not be made or locked.
  case disk(DiskError)

  public var description: String {
    switch self {
    case .held(let path, let pid):
      "\(path) is locked by \(pid.map { "process \($0)" } ?? "another process")"
    case .disk(let error): error.description
    }
  }
}

/// The right to use a data directory, held by one process at a time: flock(2) on `DIRECTORY/LOCK`, which the kernel
/// gives back when the process ends, however it ends. The file also says which process has it.
public final class DirectoryLock: Sendable {
  private let descriptor: Int32
  private let path: String

  /// Whether the lock file is still where it was: else another one lies in the directory's place, or another process can
  /// take it as well. True also where the system doesn't say.
  public var isInPlace: Bool {
    var (held, found) = (stat(), stat())
    guard fstat(descriptor, &held) == 0 else { return true }
    guard stat(path, &found) == 0 else { return errno != ENOENT && errno != ENOTDIR }
    return held.st_dev == found.st_dev && held.st_ino == found.st_ino
  }

  /// Takes the lock or fails at once.
  public init(directory: String) throws(DirectoryLockError) {
    let path = directory + "/LOCK"
    let descriptor = Glibc.open(path, O_RDWR | O_CREAT | O_CLOEXEC, mode_t(0o600))
    guard descriptor >= 0 else { throw .disk(DiskError(operation: "open", path: path, code: errno)) }
    guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
      let code = errno
      let pid = DirectoryLock.holder(descriptor)
      close(descriptor)
      guard code == EWOULDBLOCK else { throw .disk(DiskError(operation: "lock", path: path, code: code)) }
      throw .held(path: path, pid: pid)
    }
    // Only for the message that a second process gives: a failure here is no reason to refuse.
    let text = Array("\(getpid())\n".utf8)
    if ftruncate(descriptor, 0) == 0 { _ = pwrite(descriptor, text, text.count, 0) }
    (self.descriptor, self.path) = (descriptor, path)
  }

  deinit { close(descriptor) }

  private static func holder(_ descriptor: Int32) -> Int32? {
    var text = [UInt8](repeating: 0, count: 16)
    let count = pread(descriptor, &text, text.count, 0)
    return count > 0 ? Int32(String(decoding: text[..<count].prefix { $0 != UInt8(ascii: "\n") }, as: UTF8.self)) : nil
  }
}
