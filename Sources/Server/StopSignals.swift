import Glibc

/// SIGTERM and SIGINT, waited for by the thread that made this; SIGPIPE ignored. Made before other threads, which
/// inherit the mask and so leave the signals to it (signal(7), pthread_sigmask(3)).
struct StopSignals {
  private var set = sigset_t()

  init() {
    sigemptyset(&set)
    sigaddset(&set, SIGTERM)
    sigaddset(&set, SIGINT)
    pthread_sigmask(SIG_BLOCK, &set, nil)
    signal(SIGPIPE, SIG_IGN)
  }

  /// Returns when one of the signals arrives.
  func wait() {
    var set = set
    var received: Int32 = 0
    while sigwait(&set, &received) != 0 {}
  }
}
