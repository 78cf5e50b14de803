import Glibc

/// The host's file system. Files are made with mode 0600 and directories with 0700; descriptors don't survive exec.
public struct PosixDisk: Disk {
  /// The host's file system.
  public init() {}

  public func open(_ path: String, _ mode: OpenMode) throws(DiskError) -> any DiskFile {
    let flags =
      switch mode {
      case .read: O_RDONLY
      case .readWrite: O_RDWR
      case .create: O_RDWR | O_CREAT | O_EXCL
      }
    let operation = if case .create = mode { "create" } else { "open" }
    let descriptor = try checked(operation, path) { Glibc.open(path, flags | O_CLOEXEC, mode_t(0o600)) }
    return PosixFile(path: path, descriptor: descriptor)
  }

  public func rename(_ path: String, to newPath: String) throws(DiskError) {
    _ = try checked("rename", path) { Glibc.rename(path, newPath) }
  }

  public func link(_ path: String, to newPath: String) throws(DiskError) {
    _ = try checked("link", path) { Glibc.link(path, newPath) }
  }

  public func remove(_ path: String) throws(DiskError) {
    if unlink(path) == 0 { return }
    // Linux answers EISDIR for a directory, POSIX asks for EPERM.
    guard errno == EISDIR || errno == EPERM else {
      throw DiskError(operation: "remove", path: path, code: errno)
    }
    _ = try checked("remove", path) { rmdir(path) }
  }

  public func createDirectory(_ path: String) throws(DiskError) {
    if mkdir(path, 0o700) == 0 { return }
    let code = errno
    if code == EEXIST, isDirectory(path) { return }
    throw DiskError(operation: "create", path: path, code: code)
  }

  public func syncDirectory(_ path: String) throws(DiskError) {
    let descriptor = try checked("open", path) { Glibc.open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC) }
    defer { close(descriptor) }
    _ = try checked("sync", path) { fsync(descriptor) }
  }

  public func list(_ path: String) throws(DiskError) -> [String] {
    guard let stream = opendir(path) else { throw DiskError(operation: "list", path: path, code: errno) }
    defer { closedir(stream) }
    var names: [String] = []
    while true {
      errno = 0
      guard let entry = readdir(stream) else { break }
      // SAFETY: readdir's entry stays valid until the next call on this stream, and d_name ends with a NUL.
      let name = withUnsafePointer(to: &entry.pointee.d_name) { pointer in
        pointer.withMemoryRebound(to: CChar.self, capacity: MemoryLayout.size(ofValue: pointer.pointee)) {
          String(cString: $0)
        }
      }
      if name != ".", name != ".." { names.append(name) }
    }
    guard errno == 0 else { throw DiskError(operation: "list", path: path, code: errno) }
    return names.sorted()
  }

  public func exists(_ path: String) -> Bool { access(path, F_OK) == 0 }

  public func freeBytes(_ path: String) throws(DiskError) -> UInt64 {
    var statistics = statvfs()
    _ = try checked("statvfs", path) { statvfs(path, &statistics) }
    return UInt64(statistics.f_bavail) * UInt64(statistics.f_frsize)
  }

  private func isDirectory(_ path: String) -> Bool {
    var status = stat()
    return stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
  }
}

/// Repeats a system call while signals interrupt it, and turns its failure into an error.
private func checked(
  _ operation: String, _ path: String, _ call: () -> Int32
) throws(DiskError) -> Int32 {
  while true {
    let result = call()
    if result >= 0 { return result }
    guard errno == EINTR else { throw DiskError(operation: operation, path: path, code: errno) }
  }
}

/// An open file of the host. The descriptor is closed with the last reference; no call on it fails by that.
private final class PosixFile: DiskFile {
  let path: String
  private let descriptor: Int32

  init(path: String, descriptor: Int32) {
    self.path = path
    self.descriptor = descriptor
  }

  deinit { close(descriptor) }

  func size() throws(DiskError) -> UInt64 {
    var status = stat()
    _ = try checked("stat", path) { fstat(descriptor, &status) }
    return UInt64(status.st_size)
  }

  func read(at offset: UInt64, into buffer: UnsafeMutableRawBufferPointer) throws(DiskError) -> Int {
    let start = try position(offset, buffer.count, "read")
    var done = 0
    while done < buffer.count {
      // SAFETY: the rest of the buffer from `done` on is valid for as many bytes as are asked for.
      let count = pread(descriptor, buffer.baseAddress?.advanced(by: done), buffer.count - done, start + done)
      if count == 0 { break }
      if count > 0 {
        done += count
      } else if errno != EINTR {
        throw DiskError(operation: "read", path: path, code: errno)
      }
    }
    return done
  }

  func write(_ bytes: UnsafeRawBufferPointer, at offset: UInt64) throws(DiskError) {
    let start = try position(offset, bytes.count, "write")
    var done = 0
    while done < bytes.count {
      // SAFETY: the rest of the buffer from `done` on is valid for as many bytes as are asked for.
      let count = pwrite(descriptor, bytes.baseAddress?.advanced(by: done), bytes.count - done, start + done)
      if count > 0 {
        done += count
      } else if count == 0 {
        throw DiskError(operation: "write", path: path, code: EIO)
      } else if errno != EINTR {
        throw DiskError(operation: "write", path: path, code: errno)
      }
    }
  }

  func allocate(_ bytes: Int) throws(DiskError) {
    let code = posix_fallocate(descriptor, 0, try position(0, bytes, "allocate") + bytes)
    guard code == 0 else { throw DiskError(operation: "allocate", path: path, code: code) }
  }

  func truncate(to size: UInt64) throws(DiskError) {
    let length = try position(size, 0, "truncate")
    _ = try checked("truncate", path) { ftruncate(descriptor, length) }
  }

  func sync() throws(DiskError) {
    _ = try checked("sync", path) { fdatasync(descriptor) }
  }

  /// The offset as the system takes it; EFBIG where the end of the range would not fit.
  private func position(_ offset: UInt64, _ count: Int, _ operation: String) throws(DiskError) -> off_t {
    guard offset <= UInt64(off_t.max) - UInt64(count) else {
      throw DiskError(operation: operation, path: path, code: EFBIG)
    }
    return off_t(offset)
  }
}
