import Environment
import Glibc
import Synchronization

/// A disk with one file, which goes to a descriptor byte after byte: what a pipe takes. Nothing can be read back.
struct StreamDisk: Disk {
  let descriptor: Int32

  func open(_ path: String, _ mode: OpenMode) throws(DiskError) -> any DiskFile {
    guard mode == .create else { throw refusal("open", path) }
    return StreamFile(descriptor: descriptor, path: path)
  }

  func rename(_ path: String, to newPath: String) throws(DiskError) { throw refusal("rename", path) }
  func link(_ path: String, to newPath: String) throws(DiskError) { throw refusal("link", path) }
  func remove(_ path: String) throws(DiskError) { throw refusal("remove", path) }
  func createDirectory(_ path: String) throws(DiskError) { throw refusal("create", path) }
  func syncDirectory(_ path: String) throws(DiskError) { throw refusal("sync", path) }
  func list(_ path: String) throws(DiskError) -> [String] { throw refusal("list", path) }
  func exists(_ path: String) -> Bool { false }
  func freeBytes(_ path: String) throws(DiskError) -> UInt64 { throw refusal("look at", path) }

  private func refusal(_ operation: String, _ path: String) -> DiskError {
    DiskError(operation: operation, path: path, code: ENOTSUP)
  }
}

/// The file of a `StreamDisk`.
private final class StreamFile: DiskFile {
  let path: String
  private let descriptor: Int32
  private let written = Mutex(UInt64(0))

  init(descriptor: Int32, path: String) {
    self.descriptor = descriptor
    self.path = path
  }

  func size() throws(DiskError) -> UInt64 { written.withLock { $0 } }

  func read(at offset: UInt64, into buffer: UnsafeMutableRawBufferPointer) throws(DiskError) -> Int {
    throw DiskError(operation: "read", path: path, code: ENOTSUP)
  }

  func write(_ bytes: UnsafeRawBufferPointer, at offset: UInt64) throws(DiskError) {
    guard offset == written.withLock({ $0 }) else { throw DiskError(operation: "seek in", path: path, code: ESPIPE) }
    var done = 0
    while done < bytes.count {
      // SAFETY: the buffer is the caller's for the call; write reads what is left of it.
      let count = Glibc.write(descriptor, bytes.baseAddress.map { $0 + done }, bytes.count - done)
      if count >= 0 {
        done += count
      } else if errno == EAGAIN {
        var request = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
        poll(&request, 1, -1)
      } else if errno != EINTR {
        throw DiskError(operation: "write", path: path, code: errno)
      }
    }
    written.withLock { $0 += UInt64(bytes.count) }
  }

  func truncate(to size: UInt64) throws(DiskError) {
    throw DiskError(operation: "truncate", path: path, code: ENOTSUP)
  }

  /// A pipe has nothing to make durable; a file behind the descriptor has.
  func sync() throws(DiskError) {
    if fsync(descriptor) != 0, errno != EINVAL, errno != EROFS {
      throw DiskError(operation: "sync", path: path, code: errno)
    }
  }
}
