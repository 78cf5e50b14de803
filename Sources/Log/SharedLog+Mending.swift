public import Bytes
import Environment

extension SharedLog {
  /// Does what the log can so that nothing is needed any more of segments in which a `LogScrub` found faults: it goes on
  /// in another segment, writes anew the state of groups whose state is in those or before, and lets go of them, as of all
  /// that no group needs. Their files are set aside, not written again. To be called again, for the same segments, when
  /// groups have let go of entries: it is where it was then, also after a failure.
  ///
  /// - Returns: the groups whose entries are in those segments or before, which are to be flushed or given anew
  ///   (`LogWrite.isRepetition`); nil once the segments are gone.
  ///
  /// `LogError.full` and `LogError.failed` as for `append`.
  public func mend(_ damaged: Set<UInt64>) throws(LogError) -> [GroupID]? {
    if let failure { throw .failed(failure) }
    let live = damaged.filter(isLive)
    guard let last = live.max() else { return nil }
    files.mended.formUnion(live.subtracting(files.damaged))
    do throws(DiskError) {
      if segment.sequence == last { try roll(bytes: 0) }
    } catch {
      throw refuse(error)
    }
    reclaim()
    if let failure { throw .failed(failure) }
    guard isLive(last) else { return nil }
    return tracks.filter { $0.value.oldestSegment.map { $0 <= last } ?? false }.keys.sorted()
  }
}
