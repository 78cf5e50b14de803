import Glibc

/// Ends this process, as SIGTERM would, once standard input ends: the other end is held by a parent, and closes with
/// it however it dies.
enum EndOfInput {
  /// Starts to watch.
  static func stopProcess() {
    Threads.detach {
      var byte: UInt8 = 0
      while true {
        // SAFETY: read writes at most the one byte given.
        let count = read(STDIN_FILENO, &byte, 1)
        if count == 0 || count < 0 && errno != EINTR { break }
      }
      kill(getpid(), SIGTERM)
    }
  }
}
