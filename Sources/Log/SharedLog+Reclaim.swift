import Bytes
import Environment

extension SharedLog {
  /// Frees the oldest segments if no group needs an entry in them: writes anew the state of the groups whose state is
  /// there, then that they are no longer needed, and makes spares of them once that is durable.
  ///
  /// Called after a batch became durable, which a failure here does not change: a full disk is tried again after the
  /// next batch, other failures stop the log then.
  func reclaim() {
    let free = files.live.dropLast().prefix { live.isFree($0.sequence) }
    guard let first = free.last.map({ $0.sequence + 1 }), failure == nil else { return }
    do throws(DiskError) {
      try draftCheckpoints(below: first)
      // The frame that lets the segments go comes last: it is believed only if all before it can be read.
      if !frame.drafts.isEmpty { try emitFrame() }
      try makeRoom(for: 0)
      let previous = oldest
      oldest = first
      do throws(DiskError) {
        try emitFrame()
      } catch {
        oldest = previous
        throw error
      }
      try syncSegment()
    } catch {
      abandonFrame()
      _ = refuse(error)
      return
    }
    do throws(DiskError) { try files.retire(below: first) } catch { failure = error }
  }

  /// Adds the state of the groups whose state is in segments below one to the frame under construction.
  func draftCheckpoints(below first: UInt64) throws(DiskError) {
    for (group, track) in tracks.sorted(by: { $0.key < $1.key }) where track.controlSegment < first {
      let control = track.checkpoint
      try makeRoom(for: RecordHeader.bytes + control.encodedBytes)
      add(group, control.flags, control, [], 0)
    }
  }
}
