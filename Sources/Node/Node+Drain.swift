import Bytes
import Environment

// An orderly end: leaderships are handed over first, so that nobody waits for an election.
extension Node {
  /// Gives all leaderships away that another voter can take, waits until the log holds everything that was taken in,
  /// where it is being mended also what only memory has, and calls back: at the latest after `Limits.drainMilliseconds`.
  public func drain(_ done: @escaping () -> Void) {
    isDraining = true
    drainEnd = (now.advanced(milliseconds: Limits.drainMilliseconds), done)
    planner.moveLeaders()
    pump()
    finishDrainIfDue()
  }

  /// Ends the drain once nothing is left to hand over or to mend, or its time is over.
  func finishDrainIfDue() {
    guard let (deadline, done) = drainEnd else { return }
    let mayHandOver = replicas.values.contains { $0.core.isLeader && $0.core.membership.voters.count > 1 }
    guard !mayHandOver && !logMending.isUnderWay || now >= deadline else { return }
    drainEnd = nil
    pipeline.whenIdle { [self] in pairedFileCheck.noteLogEnd(then: done) }
  }
}
