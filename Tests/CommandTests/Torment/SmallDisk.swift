import Glibc

/// A file system of its own for one node, in memory, that can be filled to the last byte.
final class SmallDisk {
  private let path: String
  private var hog: String { "\(path)/hog" }

  /// Mounts one on a new directory; nil where this process may not mount anything.
  init?(at path: String, mebibytes: Int) {
    self.path = path
    guard mkdir(path, 0o755) == 0 else { return nil }
    guard mount("kv-test", path, "tmpfs", 0, "size=\(mebibytes)m") == 0 else {
      rmdir(path)
      return nil
    }
  }

  deinit { unmount() }

  /// Takes all room there is; what the node keeps in reserve stays its own.
  func fill() {
    let descriptor = open(hog, O_CREAT | O_WRONLY | O_CLOEXEC, 0o600)
    defer { close(descriptor) }
    var statistics = statvfs()
    guard descriptor >= 0, statvfs(path, &statistics) == 0 else { return }
    _ = posix_fallocate(descriptor, 0, Int(statistics.f_bavail * statistics.f_frsize))
  }

  /// Gives the room back.
  func clear() { unlink(hog) }

  /// Takes it away, whoever still uses it.
  func unmount() { umount2(path, Int32(MNT_DETACH)) }
}
