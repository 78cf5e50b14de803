public import Bytes
import Environment

extension SharedLog {
  /// Does what the log can so that nothing is needed any more of segments in which a `LogScrub` found faults: it goes on
  /// in another segment, writes anew the state of groups whose state is in those or before, durably, and lets go of all
  /// that no group needs. Their files are then set aside, not written again. To be called again, for the same segments,
  /// when groups have let go of entries: it is where it was then, also after a failure.
  ///
  /// - Returns: the groups whose entries are in those segments or before, which are to be flushed or given anew
  ///   (`LogWrite.isRepetition`): all other groups can do without the segments.
  ///
  /// `LogError.full` and `LogError.failed` as for `append`.
  public func mend(_ damaged: Set<UInt64>) throws(LogError) -> [GroupID] {
    if let failure { throw .failed(failure) }
    let live = damaged.filter(isLive)
    guard let last = live.max() else { return [] }
    files.mended.formUnion(live.subtracting(files.damaged))
    do throws(DiskError) {
      if segment.sequence == last { try roll(bytes: 0) }
      try draftCheckpoints(below: last + 1)
      if !frame.drafts.isEmpty { try emitFrame() }
      try syncSegment()
    } catch {
      abandonFrame()
      throw refuse(error)
    }
    reclaim()
    if let failure { throw .failed(failure) }
    return tracks.filter { $0.value.oldestSegment.map { $0 <= last } ?? false }.keys.sorted()
  }
}
