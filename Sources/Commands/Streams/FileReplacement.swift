import Glibc

/// Writes a file so that its readers see the old content or the whole new one.
enum FileReplacement {
  /// Calls `produce` with a stream into the file. The file changes only if that gives `.done`.
  ///
  /// A file beside it takes the bytes, is made durable and gets the name. It keeps the old file's permissions; where
  /// there was none it has those that are given, less the umask. Links are followed. What isn't a regular file (a pipe, a
  /// device) is written directly.
  static func write(
    _ path: String, permissions: mode_t = 0o666, _ produce: (OutputStream) throws(CommandError) -> ExitCode
  ) throws(CommandError) -> ExitCode {
    switch try FileTarget.of(path) {
    case .stream(let descriptor):
      defer { close(descriptor) }
      let output = OutputStream(descriptor: descriptor, path: path)
      let code = try produce(output)
      try output.flush()
      return code
    case .file(let path, let kept):
      let temporary = "\(path).\(getpid()).part"
      return try UnfinishedFile.named(temporary) { () throws(CommandError) in
        try write(path, by: temporary, kept ?? permissions, produce)
      }
    }
  }

  private static func write(
    _ path: String, by temporary: String, _ permissions: mode_t,
    _ produce: (OutputStream) throws(CommandError) -> ExitCode
  ) throws(CommandError) -> ExitCode {
    let descriptor = open(
      temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, permissions)
    guard descriptor >= 0 else { throw .file(operation: "create", path: path, code: errno) }
    do throws(CommandError) {
      let output = OutputStream(descriptor: descriptor, path: temporary)
      let code = try produce(output)
      try output.flush()
      guard code == .done else {
        close(descriptor)
        unlink(temporary)
        return code
      }
      guard fsync(descriptor) == 0 else { throw .file(operation: "sync", path: temporary, code: errno) }
      guard rename(temporary, path) == 0 else { throw .file(operation: "rename", path: path, code: errno) }
      close(descriptor)
      return code
    } catch {
      close(descriptor)
      unlink(temporary)
      throw error
    }
  }

  /// Takes all permissions on a regular file from everybody but its owner.
  static func restrict(_ path: String) throws(CommandError) {
    var facts = stat()
    guard stat(path, &facts) == 0, facts.st_mode & S_IFMT == S_IFREG else { return }
    guard chmod(path, 0o600) == 0 else { throw .file(operation: "protect", path: path, code: errno) }
  }
}
