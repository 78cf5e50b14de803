import Environment
import Glibc

/// What this process uses of the machine.
enum ProcessUse {
  /// Seconds on processors, for itself and in the kernel, of all threads (clock_gettime(2)).
  static var seconds: Double {
    var time = timespec()
    guard clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time) == 0 else { return 0 }
    return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
  }

  /// Open descriptors (proc(5)).
  static var openDescriptors: Int { (try? PosixDisk().list("/proc/self/fd").count) ?? 0 }
}
