import Glibc

/// Why an operation on a file failed.
public struct DiskError: Error, Equatable, Sendable, CustomStringConvertible {
  /// What was tried: `open`, `read`, `write`, `sync`, `rename`, …
  public let operation: String
  /// On which file or directory.
  public let path: String
  /// The system's error number.
  public let code: Int32

  /// A failure of an operation on a path with the system's error number.
  public init(operation: String, path: String, code: Int32) {
    self.operation = operation
    self.path = path
    self.code = code
  }

  /// Whether there was no room: the file system was full (ENOSPC, EDQUOT), or all descriptors were in use (ENFILE,
  /// EMFILE). That passes, and nothing is wrong with the disk.
  public var isDiskFull: Bool { code == 28 || code == 122 || isOutOfDescriptors }
  /// Whether all descriptors were in use (ENFILE, EMFILE).
  public var isOutOfDescriptors: Bool { code == 23 || code == 24 }
  /// Whether the file or directory does not exist (ENOENT).
  public var isNotFound: Bool { code == 2 }
  /// Whether no such file exists, or something else in its place or on the way to it (ENOENT, ENOTDIR, EISDIR).
  public var isNoFile: Bool { code == 2 || code == 20 || code == 21 }
  public var description: String { "\(operation) \(path): \(String(cString: strerror(code))) (error \(code))" }
}

/// How a file is opened.
public enum OpenMode: Sendable {
  /// Existing, for reading.
  case read
  /// Existing, for reading and writing.
  case readWrite
  /// New, for reading and writing; fails if it exists (EEXIST).
  case create
}

/// A file system, real or simulated. All calls block; all may be made from any thread.
///
/// Nothing is durable before `DiskFile.sync` (contents and size) and `syncDirectory` (creation, renaming, removal)
/// have returned without an error.
public protocol Disk: Sendable {
  /// Opens a file.
  func open(_ path: String, _ mode: OpenMode) throws(DiskError) -> any DiskFile
  /// Gives a file another name, replacing what has it.
  func rename(_ path: String, to newPath: String) throws(DiskError)
  /// Gives a file a second name, in a directory of the same file system; fails where that is taken (EEXIST).
  func link(_ path: String, to newPath: String) throws(DiskError)
  /// Removes a file or an empty directory.
  func remove(_ path: String) throws(DiskError)
  /// Makes a directory, mode 0700; no error if it exists.
  func createDirectory(_ path: String) throws(DiskError)
  /// Makes creations, renamings and removals in a directory durable.
  func syncDirectory(_ path: String) throws(DiskError)
  /// The names in a directory, sorted.
  func list(_ path: String) throws(DiskError) -> [String]
  /// Whether a file or directory exists.
  func exists(_ path: String) -> Bool
  /// The bytes still free for data on the file system that holds a path.
  func freeBytes(_ path: String) throws(DiskError) -> UInt64
}

/// An open file. It is closed when the last reference goes.
public protocol DiskFile: AnyObject, Sendable {
  /// The path under which it was opened.
  var path: String { get }
  /// The size in bytes.
  func size() throws(DiskError) -> UInt64
  /// Reads into a buffer from an offset until it is full or the file ends; gives the number of bytes read.
  func read(at offset: UInt64, into buffer: UnsafeMutableRawBufferPointer) throws(DiskError) -> Int
  /// Writes all of a buffer at an offset.
  func write(_ bytes: UnsafeRawBufferPointer, at offset: UInt64) throws(DiskError)
  /// Cuts or extends (with zeros) the file to a size.
  func truncate(to size: UInt64) throws(DiskError)
  /// Gives the file room for so many bytes from its start, which then counts as taken; what it reads there is zeros.
  func allocate(_ bytes: Int) throws(DiskError)
  /// Makes contents and size durable (fdatasync). After an error nothing written before may be believed durable,
  /// whatever a later call says (ATC'20, "Can Applications Recover from fsync Failures?").
  func sync() throws(DiskError)
}

extension DiskFile {
  /// By writing zeros, where the system has no better way.
  public func allocate(_ bytes: Int) throws(DiskError) {
    let zeros = [UInt8](repeating: 0, count: min(bytes, 1 << 20))
    for start in stride(from: 0, to: bytes, by: zeros.count) {
      try write(Array(zeros.prefix(bytes - start)), at: UInt64(start))
      try sync()
    }
  }

  /// Reads up to `count` bytes from an offset; fewer only where the file ends.
  public func read(at offset: UInt64, count: Int) throws(DiskError) -> [UInt8] {
    var failure: DiskError?
    let bytes = [UInt8](unsafeUninitializedCapacity: count) { buffer, initialized in
      do throws(DiskError) {
        // SAFETY: `read` fills from the start as many bytes as it says, and no more than the buffer holds.
        initialized = try read(at: offset, into: UnsafeMutableRawBufferPointer(buffer))
      } catch {
        failure = error
        initialized = 0
      }
    }
    if let failure { throw failure }
    return bytes
  }

  /// Writes all of an array at an offset.
  public func write(_ bytes: [UInt8], at offset: UInt64) throws(DiskError) {
    var failure: DiskError?
    bytes.withUnsafeBytes { buffer in
      do throws(DiskError) { try write(buffer, at: offset) } catch { failure = error }
    }
    if let failure { throw failure }
  }
}

extension Disk {
  /// Gives a file a second name where that can be, else copies it; durable but for the directory on return.
  public func linkOrCopy(_ path: String, to newPath: String) throws(DiskError) {
    do throws(DiskError) {
      return try link(path, to: newPath)
    } catch {
      // Another file system, one without links, or too many of them: EXDEV, EPERM, EOPNOTSUPP, EMLINK.
      guard [18, 1, 95, 31].contains(error.code) else { throw error }
    }
    let (source, target) = (try open(path, .read), try open(newPath, .create))
    let size = try source.size()
    var offset: UInt64 = 0
    while offset < size {
      let bytes = try source.read(at: offset, count: 1 << 20)
      guard !bytes.isEmpty else { throw DiskError(operation: "read", path: path, code: 5) }
      try target.write(bytes, at: offset)
      offset += UInt64(bytes.count)
    }
    try target.sync()
  }

  /// The whole content of a file, refused above `limit` bytes (EFBIG).
  public func contents(of path: String, limit: Int) throws(DiskError) -> [UInt8] {
    let file = try open(path, .read)
    let size = try file.size()
    guard size <= UInt64(limit) else { throw DiskError(operation: "read", path: path, code: 27) }
    return try file.read(at: 0, count: Int(size))
  }

  /// Replaces a file's content so that a crash leaves the old or the new one, durable on return: a temporary file is
  /// written, synced and renamed, and its directory synced.
  public func replace(_ path: String, with bytes: [UInt8]) throws(DiskError) {
    let temporary = path + ".tmp"
    if exists(temporary) { try remove(temporary) }
    let file = try open(temporary, .create)
    try file.write(bytes, at: 0)
    try file.sync()
    try rename(temporary, to: path)
    try syncDirectory(path.lastIndex(of: "/").map { String(path[..<$0]) } ?? ".")
  }
}
