import Glibc

/// How the system shares processors among threads.
public enum Scheduling {
  /// SCHED_BATCH of <sched.h>, which Swift's Glibc module leaves out.
  private static let batch: Int32 = 3
  /// SCHED_IDLE, which it leaves out too.
  private static let idle: Int32 = 5

  /// Lets the threads that this one makes from now on work in longer turns: none is put in the place of another that
  /// is at work the moment it is woken (sched(7), SCHED_BATCH). A node's turn then finds more to do at once, in the log
  /// and on the network. On a machine with a processor to spare nothing changes.
  public static func preferLongTurns() {
    var parameters = sched_param(sched_priority: 0)
    // Where it is refused, as in some sandboxes, a node is slower under load and nothing else.
    _ = sched_setscheduler(0, batch, &parameters)
  }

  /// Has the calling thread, and no other of the process (Linux, sched(7), SCHED_IDLE), give way to all that want the
  /// processor: whoever is woken takes its place at once, which a thread that is merely nice keeps for some milliseconds.
  public static func giveWay() {
    var parameters = sched_param(sched_priority: 0)
    if sched_setscheduler(0, idle, &parameters) != 0 { _ = nice(15) }
  }

  /// Has the calling thread, and no other of the process, leave most of a processor to those that want it, and keep a
  /// third of what one of them gets: enough for work that has to be done, but not now.
  public static func standBack() {
    _ = nice(5)
  }
}
