import Glibc

/// Ends this process, as SIGTERM would, once standard input ends: the other end is held by a parent, and closes with
/// it however it dies.
enum EndOfInput {
  /// Starts to watch, on a thread that takes no signals: one that came before the main thread waits for it would
  /// otherwise be delivered here, and end the process at once.
  static func stopProcess() {
    var all = sigset_t()
    var before = sigset_t()
    sigfillset(&all)
    pthread_sigmask(SIG_BLOCK, &all, &before)
    defer { pthread_sigmask(SIG_SETMASK, &before, nil) }
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
