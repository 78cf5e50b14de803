import Glibc

/// A step of work of a thread that gives way (`Scheduling.giveWay`), and the rest that it takes afterwards where others
/// keep asking for the processors.
///
/// The scheduler alone is not enough: a processor that is never idle costs those that are woken on it more than one that
/// is, on a virtual machine twice as much, whatever the class of the thread that they push aside.
public struct IdleStep {
  /// So often a thread is pushed aside within a step, which is about a millisecond's work, before that counts. Threads of
  /// the idle class that share processors with each other alone are mostly below.
  private static let bearable = 4
  /// How many times what a step took of a processor the rest is.
  private static let restFactor: UInt64 = 12
  /// No rest is longer.
  private static let longestRest: UInt64 = 20_000_000

  private let preemptions: Int
  private let nanoseconds: UInt64

  private init(preemptions: Int, nanoseconds: UInt64) {
    self.preemptions = preemptions
    self.nanoseconds = nanoseconds
  }

  /// A step that the calling thread begins now.
  public static func begin() -> IdleStep {
    var usage = rusage()
    // RUSAGE_THREAD of <sys/resource.h> (getrusage(2)), which Swift's Glibc module leaves out.
    getrusage(__rusage_who_t(1), &usage)
    var time = timespec()
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
    return IdleStep(
      preemptions: usage.ru_nivcsw, nanoseconds: UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec))
  }

  /// Ends the step, on the same thread: sleeps if others wanted the processor again and again meanwhile.
  public func end() {
    let now = IdleStep.begin()
    let rest = IdleStep.rest(
      preemptions: now.preemptions - preemptions, processorNanoseconds: now.nanoseconds - nanoseconds)
    if rest > 0 { usleep(UInt32(rest / 1000)) }
  }

  /// The nanoseconds of rest after a step that was so often pushed aside, and took so much of a processor.
  static func rest(preemptions: Int, processorNanoseconds: UInt64) -> UInt64 {
    preemptions < bearable ? 0 : min(restFactor * processorNanoseconds, longestRest)
  }
}
