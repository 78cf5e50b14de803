internal import Glibc

/// A moment at which waiting ends, on the steady clock.
struct Deadline {
  /// What was granted, for messages.
  let milliseconds: Int
  private let end: Int

  init(milliseconds: Int) {
    self.milliseconds = milliseconds
    end = Deadline.now() + max(0, milliseconds)
  }

  /// What is left, in milliseconds; 0 when it has passed.
  var remaining: Int { max(0, end - Deadline.now()) }

  private static func now() -> Int {
    var time = timespec()
    clock_gettime(CLOCK_BOOTTIME, &time)
    return time.tv_sec * 1000 + time.tv_nsec / 1_000_000
  }
}
