import Bytes
import Environment

extension SharedLog {
  /// Writes a batch: one write, and one sync for all of it, except where a segment ends within it.
  ///
  /// With `sync` the batch and all before it are durable on return. Without, the batch is written but a crash may
  /// lose it (and everything after it that was not synced either): for hard states of which only the commit is new.
  ///
  /// `LogError.full`: nothing may be believed durable; the same batch may be given again. `LogError.failed`: the log
  /// is dead.
  public func append(_ batch: [LogWrite], sync: Bool) throws(LogError) {
    if let failure { throw .failed(failure) }
    do throws(DiskError) {
      for write in batch { try draft(write) }
      try emit()
      if sync { try syncSegment() }
    } catch {
      abandonFrame()
      throw refuse(error)
    }
    if sync { reclaim() }
  }

  // MARK: Drafting

  /// Adds a write to the frame under construction, in parts where it does not fit the segment.
  private func draft(_ write: LogWrite) throws(DiskError) {
    guard !write.isEmpty else { return }
    check(write)
    var rest = write.entries[...]
    var isFirst = true
    repeat {
      var control = RecordControl()
      control.hardState = write.hardState
      control.reset = isFirst ? write.reset : nil
      control.compacted = write.compactedThrough
      let fixed = RecordHeader.bytes + control.encodedBytes
      let undivided = write.isRepetition ? rest : rest.prefix(1)
      try makeRoom(for: fixed + undivided.reduce(0) { $0 + $1.encodedBytes })
      let (count, bytes) = fitting(rest, room: room - fixed)
      let isLast = count == rest.count
      if !isLast { control.compacted = nil }
      var flags = control.flags
      if count > 0 { flags.insert(.entries) }
      if isLast, write.removed { flags.insert(.removed) }
      add(write.group, flags, control, rest.prefix(count), bytes)
      rest = rest.dropFirst(count)
      isFirst = false
    } while !rest.isEmpty
  }

  /// The number of entries, and their bytes, that fit in a room.
  private func fitting(_ entries: ArraySlice<LogEntry>, room: Int) -> (count: Int, bytes: Int) {
    var bytes = 0
    for (count, entry) in entries.enumerated() {
      guard bytes + entry.encodedBytes <= room else { return (count, bytes) }
      bytes += entry.encodedBytes
    }
    return (entries.count, bytes)
  }

  func add(
    _ group: GroupID, _ flags: RecordFlags, _ control: RecordControl, _ entries: ArraySlice<LogEntry>,
    _ entryBytes: Int
  ) {
    let ordinal = (tracks[group]?.drafted.ordinal ?? 0) + 1
    frame.add(
      RecordDraft(
        group: group, flags: flags, ordinal: ordinal, control: control, entries: entries,
        payloadBytes: control.encodedBytes + entryBytes))
    if flags.contains(.removed) {
      tracks[group]?.drafted = GroupTrack.Drafted()
    } else {
      tracks[group, default: GroupTrack()].drafted.note(ordinal, control, last: entries.last?.index)
    }
  }

  /// Our own bugs must not reach the disk: there a gap would be damage.
  private func check(_ write: LogWrite) {
    var (last, compacted) = (LogIndex.zero, LogIndex.zero)
    if let reset = write.reset {
      (last, compacted) = (reset.index, reset.index)
    } else if let drafted = tracks[write.group]?.drafted {
      (last, compacted) = (drafted.last, drafted.compacted)
    }
    if let first = write.entries.first {
      precondition(first.index <= last.next, "entries leave a gap")
      precondition(first.index > compacted, "entries go back to what is compacted")
      for (position, entry) in write.entries.enumerated() {
        precondition(entry.index - first.index == position, "entries are not consecutive")
        precondition(entry.payload.count <= Limits.entryBytes.rawValue, "an entry above the limit")
      }
      last = first.index + (write.entries.count - 1)
    }
    precondition(write.compactedThrough ?? .zero <= last, "compacted beyond the last entry")
  }

  func abandonFrame() {
    frame.removeAll()
    for (group, track) in tracks { tracks[group]?.drafted = track.written }
    tracks = tracks.filter { $0.value.ordinal > 0 }
  }

  // MARK: Writing

  /// The bytes that can still be added to the frame in this segment. What a mark needs is left free.
  private var room: Int {
    (segment.bytes - FrameHeader.bytes - offset) / FrameHeader.alignment * FrameHeader.alignment - frame.bytes
  }

  /// Sees to it that a record of this size fits, in the segment or in a new one.
  func makeRoom(for bytes: Int) throws(DiskError) {
    guard room < bytes else { return }
    if !frame.drafts.isEmpty { try emit() }
    guard room < bytes else { return }
    try roll(bytes: SegmentHeader.blockBytes + FrameHeader.aligned(FrameHeader.bytes + bytes) + FrameHeader.bytes)
  }

  /// Goes on in a new segment. All before it is durable then, so that only the last segment can have a torn tail.
  func roll(bytes: Int) throws(DiskError) {
    if isDirty { try syncSegment() }
    let left = segment
    let end = LogPosition(sequence: left.sequence, offset: offset)
    let next = try files.advance(bytes: bytes)
    segment = Segment(
      file: next.file, sequence: next.sequence, bytes: next.bytes,
      seed: SegmentHeader.seed(identity: identity, sequence: next.sequence))
    offset = SegmentHeader.blockBytes
    try writeHeader(previousEnd: end)
    // Durable before any frame: else a crash could leave frames of this number in what looks like a spare, and they
    // would fit the segment when it gets the number again.
    try syncSegment()
    do throws(DiskError) {
      try seal(left, at: end.offset)
    } catch {
      guard files.mended.contains(left.sequence) else { throw error }
    }
  }

  /// Says behind the last frame of a segment that the next one was begun, durably: should that be gone one day, nothing
  /// else would tell.
  private func seal(_ left: Segment, at end: Int) throws(DiskError) {
    guard end + FrameHeader.bytes <= left.bytes else { return }
    let mark = FrameBuilder.mark(number: number, durable: durable, oldest: oldest, seed: left.seed, offset: end)
    try left.file.write(mark, at: UInt64(end))
    try left.file.sync()
  }

  /// Heads the segment.
  func writeHeader(previousEnd: LogPosition) throws(DiskError) {
    var writer = ByteWriter(capacity: SegmentHeader.blockBytes)
    SegmentHeader(
      fileBytes: segment.bytes, identity: identity, sequence: segment.sequence, firstFrame: number,
      previousEnd: previousEnd, oldest: oldest
    ).encode(into: &writer)
    isDirty = true
    try segment.file.write(writer.bytes, at: 0)
  }

  /// Writes the frame, if it has records, and takes note of them.
  private func emit() throws(DiskError) {
    if !frame.drafts.isEmpty { try emitFrame() }
  }

  func emitFrame() throws(DiskError) {
    let bytes = frame.encode(
      number: number, durable: durable, oldest: oldest, seed: segment.seed, offset: offset)
    isDirty = true
    try segment.file.write(bytes, at: UInt64(offset))
    offset += bytes.count
    number += 1
    for draft in frame.drafts {
      tracks[draft.group, default: GroupTrack()].apply(
        draft.header, draft.control, in: segment.sequence, live: &live)
      if draft.flags.contains(.removed) {
        tracks[draft.group]?.clear(&live)
        tracks[draft.group] = nil
      }
    }
    frame.removeAll()
  }

  /// Makes what was written durable. The next frame says so, or a mark if the log rests.
  func syncSegment() throws(DiskError) {
    guard isDirty else { return }
    try segment.file.sync()
    isDirty = false
    durable = LogPosition(sequence: segment.sequence, offset: offset)
    isMarked = false
  }

  /// Says behind the last frame that it is durable, for whoever recovers the log: to be called when there is nothing
  /// to append for a while. Until then the last frame, if it is damaged on the disk, would pass for a torn one.
  ///
  /// A mark is not synced: the next batch replaces it, and the kernel writes it if there is none. An error of its
  /// write concerns nothing that was promised, but the log does not go on after one.
  public func settle() {
    guard !isMarked, !isDirty, failure == nil, offset + FrameHeader.bytes <= segment.bytes else { return }
    isMarked = true
    let mark = FrameBuilder.mark(
      number: number, durable: durable, oldest: oldest, seed: segment.seed, offset: offset)
    do throws(DiskError) {
      try segment.file.write(mark, at: UInt64(offset))
    } catch {
      if !error.isDiskFull { failure = error }
    }
  }
}
