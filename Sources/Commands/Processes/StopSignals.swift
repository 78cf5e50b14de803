import Glibc

/// SIGINT and SIGTERM, taken in turn instead of ending the process.
struct StopSignals {
  private var set: sigset_t

  /// Holds the signals back from now on, in this thread and in those that it starts.
  init() {
    set = sigset_t()
    sigemptyset(&set)
    sigaddset(&set, SIGINT)
    sigaddset(&set, SIGTERM)
    pthread_sigmask(SIG_BLOCK, &set, nil)
  }

  /// Waits for one, at most so long; whether one came.
  func came(within milliseconds: Int) -> Bool {
    var set = set
    var time = timespec(tv_sec: milliseconds / 1000, tv_nsec: milliseconds % 1000 * 1_000_000)
    return sigtimedwait(&set, nil, &time) > 0
  }
}
