import Glibc

/// What the name of a file to be written leads to.
enum FileTarget {
  /// A file, or none yet, that is replaced as a whole: at the end of all links, which stay.
  case file(String, permissions: mode_t?)
  /// What can't be replaced: a pipe, a device, one of this process's own descriptors. The receiver closes it.
  case stream(Int32)

  /// How many links are followed, as the kernel does (path_resolution(7)).
  private static let mostLinks = 40

  /// Follows a path.
  static func of(_ path: String) throws(CommandError) -> FileTarget {
    var place = path
    for _ in 0...mostLinks {
      if let own = ownDescriptor(place) {
        let copy = dup(own)
        guard copy >= 0 else { throw .file(operation: "open", path: path, code: errno) }
        return .stream(copy)
      }
      var facts = stat()
      guard lstat(place, &facts) == 0 else { return .file(place, permissions: nil) }
      switch facts.st_mode & S_IFMT {
      case S_IFREG: return .file(place, permissions: facts.st_mode & 0o777)
      case S_IFLNK: place = try target(of: place)
      default:
        let descriptor = open(place, O_WRONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw .file(operation: "open", path: path, code: errno) }
        return .stream(descriptor)
      }
    }
    throw .file(operation: "open", path: path, code: ELOOP)
  }

  private static func target(of link: String) throws(CommandError) -> String {
    var bytes = [CChar](repeating: 0, count: Int(PATH_MAX))
    // SAFETY: readlink writes at most the bytes of the buffer.
    let count = readlink(link, &bytes, bytes.count)
    guard count >= 0 else { throw .file(operation: "open", path: link, code: errno) }
    let target = String(decoding: bytes.prefix(count).map { UInt8(bitPattern: $0) }, as: UTF8.self)
    guard !target.hasPrefix("/"), let slash = link.lastIndex(of: "/") else { return target }
    return link[...slash] + target
  }

  /// The descriptor that a path of these forms stands for (proc_pid_fd(5)).
  private static func ownDescriptor(_ path: String) -> Int32? {
    for prefix in ["/proc/self/fd/", "/dev/fd/", "/proc/\(getpid())/fd/"] where path.hasPrefix(prefix) {
      return Int32(path.dropFirst(prefix.count))
    }
    return nil
  }
}
