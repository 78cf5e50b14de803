import Bytes
import Client
import Environment
import Glibc
import Snapshot

/// The file of an export while it is written, `FILE.part`, which becomes FILE when it is complete; and `FILE.part.about`,
/// which says of which export it is. One process at a time has them: that which holds a lock on the latter (flock(2)).
///
/// The latter is durable before the former is there, and goes after it: so a part without it is nobody's of this program,
/// and it alone means nothing.
final class ExportPart {
  /// What an earlier export left.
  enum Remainder {
    case nothing
    case part(SnapshotPart)
    /// A part of which it can't be read what it is of, and why.
    case unreadable(String)
  }

  /// Where the records are.
  let path: String
  /// What was left when this was opened.
  private(set) var remainder = Remainder.nothing
  private let target: String
  private let about: String
  private let descriptor: Int32
  private let disk = PosixDisk()

  /// Takes the parts of a file, or fails at once where another process has them. Nothing is changed.
  init(of target: String) throws(CommandError) {
    self.target = target
    path = "\(target).part"
    about = "\(path).about"
    descriptor = try ExportPart.lock(about, for: target)
    try ExportPart.check(descriptor, about)
    guard try hasRecords() else { return }
    let bytes = try content()
    guard SnapshotPart.isOne(bytes) else {
      throw .malformed(
        "\(path) is in the way, and nothing that kv snapshot export left: remove it, or name another file")
    }
    do throws(ByteError) {
      remainder = .part(try SnapshotPart(decoding: bytes))
    } catch {
      remainder = .unreadable("\(about): \(error)")
    }
  }

  /// What was made for the lock alone goes.
  deinit {
    var facts = stat()
    if fstat(descriptor, &facts) == 0, facts.st_size == 0 { unlink(about) }
    close(descriptor)
  }

  /// Calls `body`; a signal that ends the process meanwhile leaves what was there before, and nothing else.
  func whileUnused<Result>(_ body: () throws(CommandError) -> Result) throws(CommandError) -> Result {
    guard case .nothing = remainder else { return try body() }
    return try UnfinishedFile.named(about, body)
  }

  /// Removes what was left, and notes durably which export begins. Its records are for the caller to write.
  func begin(_ part: SnapshotPart) throws(CommandError) {
    try inspecting { () throws(DiskError) in
      if disk.exists(path) {
        try disk.remove(path)
        try disk.syncDirectory(directory)
      }
    }
    do throws(CommandError) {
      try write(part.encoded())
    } catch {
      ftruncate(descriptor, 0)
      throw error
    }
    try inspecting { () throws(DiskError) in try disk.syncDirectory(directory) }
  }

  /// Gives the file its name, durably.
  func complete() throws(CommandError) {
    try inspecting { () throws(DiskError) in
      try disk.rename(path, to: target)
      try disk.syncDirectory(directory)
    }
    unlink(about)
  }

  /// Removes what was written.
  func discard() {
    unlink(path)
    unlink(about)
  }

  private var directory: String {
    guard let slash = target.lastIndex(of: "/") else { return "." }
    return slash == target.startIndex ? "/" : String(target[..<slash])
  }

  /// Opens and locks a file that is still the one of its name then.
  private static func lock(_ path: String, for target: String) throws(CommandError) -> Int32 {
    while true {
      let descriptor = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0o600)
      guard descriptor >= 0 else { throw .file(operation: "create", path: path, code: errno) }
      guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
        let code = errno
        close(descriptor)
        guard code == EWOULDBLOCK else { throw .file(operation: "lock", path: path, code: code) }
        throw .client(.refused("another export is writing \(target): wait for its end, or name another file"))
      }
      var (held, named) = (stat(), stat())
      if fstat(descriptor, &held) == 0, lstat(path, &named) == 0, held.st_ino == named.st_ino,
        held.st_dev == named.st_dev
      {
        return descriptor
      }
      close(descriptor)
    }
  }

  private static func check(_ descriptor: Int32, _ path: String) throws(CommandError) {
    var facts = stat()
    guard fstat(descriptor, &facts) == 0 else { throw .file(operation: "stat", path: path, code: errno) }
    try check(facts, path)
  }

  /// Refuses what somebody else may have put there.
  private static func check(_ facts: stat, _ path: String) throws(CommandError) {
    guard facts.st_mode & S_IFMT == S_IFREG, facts.st_uid == geteuid() else {
      throw .client(.refused("\(path) is no file of this user's: remove it, or name another file"))
    }
  }

  private func hasRecords() throws(CommandError) -> Bool {
    var facts = stat()
    guard lstat(path, &facts) == 0 else {
      guard errno == ENOENT else { throw .file(operation: "stat", path: path, code: errno) }
      return false
    }
    try ExportPart.check(facts, path)
    return true
  }

  private func content() throws(CommandError) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: SnapshotPart.mostBytes)
    // SAFETY: pread writes at most the bytes of the buffer.
    let count = pread(descriptor, &bytes, bytes.count, 0)
    guard count >= 0 else { throw .file(operation: "read", path: about, code: errno) }
    return Array(bytes.prefix(count))
  }

  private func write(_ bytes: [UInt8]) throws(CommandError) {
    guard ftruncate(descriptor, 0) == 0 else { throw .file(operation: "truncate", path: about, code: errno) }
    // SAFETY: pwrite reads the bytes of the buffer, which is valid for the call.
    let count = pwrite(descriptor, bytes, bytes.count, 0)
    guard count == bytes.count else {
      throw .file(operation: "write", path: about, code: count < 0 ? errno : ENOSPC)
    }
    guard fsync(descriptor) == 0 else { throw .file(operation: "sync", path: about, code: errno) }
  }
}
