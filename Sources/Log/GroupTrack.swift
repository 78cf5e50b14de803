import Bytes

/// How many runs of entries that are still needed each segment holds.
struct LiveRuns {
  private var counts: [UInt64: Int] = [:]

  mutating func add(_ segment: UInt64) { counts[segment, default: 0] += 1 }

  mutating func remove(_ segment: UInt64) {
    guard let count = counts[segment] else { return }
    counts[segment] = count > 1 ? count - 1 : nil
  }

  func isFree(_ segment: UInt64) -> Bool { counts[segment] == nil }
}

/// What the log knows of one group without its entries: its state, and which segments hold what of it.
struct GroupTrack {
  /// Consecutive entries in one segment.
  struct Run: Equatable {
    var first: LogIndex
    var last: LogIndex
    let segment: UInt64
  }

  /// As much of a track as the records of one frame must know of each other.
  struct Drafted {
    var ordinal: UInt64 = 0
    var last = LogIndex.zero
    var compacted = LogIndex.zero

    mutating func note(_ ordinal: UInt64, _ control: RecordControl, last entry: LogIndex?) {
      self.ordinal = ordinal
      if let reset = control.reset { (last, compacted) = (reset.index, reset.index) }
      if let entry { last = entry }
      if let index = control.compacted { compacted = max(compacted, index) }
    }
  }

  /// The number of the group's last record.
  var ordinal: UInt64 = 0
  var hardState = StoredHardState()
  var reset = LogPoint.start
  var compacted = LogIndex.zero
  var last = LogIndex.zero
  private(set) var runs: [Run] = []
  /// The segment that holds the record from which on the group's state is complete.
  private(set) var controlSegment: UInt64 = 0
  /// Whether such a record was seen.
  private(set) var isComplete = false
  var losses: RecordControl.Losses = []
  /// What will be once the records drafted for a frame are written.
  var drafted = Drafted()

  var written: Drafted { Drafted(ordinal: ordinal, last: last, compacted: compacted) }

  /// The oldest segment that holds an entry still needed.
  var oldestSegment: UInt64? { runs.first?.segment }

  /// The record that says all of this anew.
  var checkpoint: RecordControl {
    RecordControl(
      hardState: hardState,
      checkpoint: RecordControl.Checkpoint(reset: reset, compacted: compacted, last: last, losses: losses))
  }

  /// Takes note of a record in a segment. `control` is nil where the record's payload can't be read.
  mutating func apply(_ record: RecordHeader, _ control: RecordControl?, in segment: UInt64, live: inout LiveRuns) {
    if record.ordinal == 1 {
      clear(&live)
      self = GroupTrack()
      controlSegment = segment
      isComplete = true
    }
    ordinal = record.ordinal
    if record.flags.contains(.checkpoint) { apply(control?.checkpoint, in: segment, live: &live) }
    if record.flags.contains(.reset) { apply(reset: control?.reset, &live) }
    if record.flags.contains(.entries) { append(record.first, record.last, in: segment, &live) }
    if record.flags.contains(.hardState) { apply(hardState: control?.hardState, record, in: segment) }
    if let through = control?.compacted { compact(through: through, &live) }
    drafted = written
  }

  private mutating func apply(
    _ checkpoint: RecordControl.Checkpoint?, in segment: UInt64, live: inout LiveRuns
  ) {
    // An unreadable checkpoint of a state that is known anyway is no loss.
    guard let checkpoint else { return }
    controlSegment = segment
    isComplete = true
    reset = checkpoint.reset
    compact(through: checkpoint.compacted, &live)
    last = checkpoint.last
    losses = checkpoint.losses
  }

  private mutating func apply(reset point: LogPoint?, _ live: inout LiveRuns) {
    guard let point else {
      losses.insert(.reset)
      return
    }
    clear(&live)
    reset = point
    compacted = point.index
    last = point.index
    limitCommit(to: last)
    losses.remove(.reset)
  }

  private mutating func apply(hardState state: StoredHardState?, _ record: RecordHeader, in segment: UInt64) {
    guard let state else {
      if !record.flags.contains(.checkpoint) || !isComplete { losses.insert(.hardState) }
      return
    }
    // A commit must never come to speak of entries that take the place of those it was said of. So it is never beyond
    // the last entry, nor beyond one that was written anew.
    hardState = state
    limitCommit(to: last)
    if !record.flags.contains(.checkpoint) { losses.remove(.hardState) }
    if record.flags.contains(.reset) {
      losses = []
      isComplete = true
      controlSegment = segment
    }
  }

  private mutating func limitCommit(to index: LogIndex) {
    hardState.commit = min(hardState.commit, index)
  }

  private mutating func append(_ first: LogIndex, _ end: LogIndex, in segment: UInt64, _ live: inout LiveRuns) {
    limitCommit(to: first.previous)
    while let run = runs.last, run.last >= first {
      if run.first < first {
        runs[runs.count - 1].last = first.previous
        break
      }
      runs.removeLast()
      live.remove(run.segment)
    }
    if let run = runs.last, run.segment == segment, run.last.next == first {
      runs[runs.count - 1].last = end
    } else {
      runs.append(Run(first: first, last: end, segment: segment))
      live.add(segment)
    }
    last = end
  }

  private mutating func compact(through index: LogIndex, _ live: inout LiveRuns) {
    guard index > compacted else { return }
    compacted = index
    last = max(last, index)
    let dead = runs.prefix { $0.last <= index }
    for run in dead { live.remove(run.segment) }
    runs.removeFirst(dead.count)
    if let run = runs.first, run.first <= index { runs[0].first = index.next }
  }

  /// Forgets all entries.
  mutating func clear(_ live: inout LiveRuns) {
    for run in runs { live.remove(run.segment) }
    runs.removeAll()
  }
}
