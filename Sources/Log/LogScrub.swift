import Bytes
import Environment

/// What of a log lay durably on the disk at one moment, to be held against its checksums while the log goes on.
public struct LogExtent: Sendable {
  /// What a group needs of it.
  struct Need {
    /// The number of its last record.
    let ordinal: UInt64
    let compacted: LogIndex
    /// The segment from which on its state is complete, and those that hold entries.
    let controlSegment: UInt64
    let segments: Set<UInt64>

    func concerns(_ sequence: UInt64) -> Bool { controlSegment <= sequence || segments.contains(sequence) }
  }

  let files: SegmentFiles
  let identity: UInt64
  let durable: LogPosition
  let needs: [GroupID: Need]
}

extension SharedLog {
  /// What is durable now.
  public var extent: LogExtent {
    LogExtent(
      files: files, identity: identity, durable: durable,
      needs: tracks.mapValues { track in
        LogExtent.Need(
          ordinal: track.ordinal, compacted: track.compacted, controlSegment: track.controlSegment,
          segments: Set(track.runs.map(\.segment)))
      })
  }

  /// Whether a segment is still one of the log's.
  public func isLive(_ sequence: UInt64) -> Bool { files.live.contains { $0.sequence == sequence } }
}

/// Bytes of the log that were durable once and are something else now; what they said is in memory still.
public struct LogFault: Equatable, Sendable {
  /// The segment, and its file.
  public let sequence: UInt64
  public let path: String
  /// Where they begin.
  public let offset: Int
  /// What was expected and found, for people.
  public let words: String
  /// The groups that would lack something at the next start.
  public internal(set) var groups: Set<GroupID>
}

/// Reads a log's segments from the disk and holds them against their checksums, beside the thread that has the log.
///
/// What is reclaimed meanwhile looks damaged: of a fault counts only what `SharedLog.isLive` afterwards. What no group
/// needs any more is no loss, and not told.
///
/// SAFETY: Sendable, but for one thread at a time: whoever drives it calls `advance` only after the last call has
/// returned.
public final class LogScrub: @unchecked Sendable {
  private let extent: LogExtent
  private var left: ArraySlice<SegmentFiles.Live>
  private var reader = SegmentReader()
  private var found: [LogFault] = []
  /// Which of them are bytes whose records nobody knows.
  private var gaps: [Int] = []
  /// Those that took a part of a group's state, unless a later record has it.
  private var stateless: [GroupID: [StatePart: Int]] = [:]
  /// The groups whose state is complete with the records read so far.
  private var complete: Set<GroupID> = []
  /// The number of each group's next record, and how many faults there were when the last one was read.
  private var seen: [GroupID: (next: UInt64, faults: Int)] = [:]

  /// What a record can say of a group beside entries; all of it at once where it is a checkpoint.
  private enum StatePart { case hardState, reset, all }

  /// What was found so far.
  public var faults: [LogFault] { found.filter { !$0.groups.isEmpty } }

  /// A reading of what there was at one moment.
  public init(_ extent: LogExtent) {
    self.extent = extent
    // One that was only just begun holds nothing durable yet.
    left = extent.files.live.prefix { $0.sequence <= extent.durable.sequence }
  }

  /// Reads the next segment; false once all are read. Blocking.
  public func advance() -> Bool {
    guard let segment = left.popFirst() else {
      if !gaps.isEmpty { for (group, need) in extent.needs { miss(group, before: need.ordinal + 1) } }
      for (group, parts) in stateless { for place in parts.values { found[place].groups.insert(group) } }
      return false
    }
    let path = extent.files.path(segment.sequence)
    do throws(DiskError) {
      try read(segment, path)
    } catch {
      note(segment, path, at: 0, error.isNotFound ? "the file is gone" : "\(error)")
    }
    return true
  }

  private func read(_ segment: SegmentFiles.Live, _ path: String) throws(DiskError) {
    let file = try SegmentFile(disk: extent.files.disk, path: path, sequence: segment.sequence)
    guard let header = file.header, header.identity == extent.identity else {
      return note(segment, path, at: 0, "expected the header of segment \(segment.sequence), found none")
    }
    let end = end(of: segment)
    try reader.read(disk: extent.files.disk, path: path, count: end ?? segment.bytes)
    let seed = SegmentHeader.seed(identity: extent.identity, sequence: segment.sequence)
    let scan = SegmentScan(reader.bytes, seed: seed, firstNumber: header.firstFrame)
    for item in scan.items {
      switch item {
      case .gap(let range): note(segment, path, range)
      case .frame(let frame): read(frame, segment, path)
      }
    }
    if let end, scan.end < end { note(segment, path, scan.end..<end) }
  }

  /// Up to where a segment's frames are known to reach. Of one that was left the next one says so; where that can't be
  /// read it is told of that one.
  private func end(of segment: SegmentFiles.Live) -> Int? {
    if segment.sequence == extent.durable.sequence { return extent.durable.offset }
    let next = segment.sequence + 1
    let file = try? SegmentFile(disk: extent.files.disk, path: extent.files.path(next), sequence: next)
    return file?.header.flatMap { $0.previousEnd.sequence == segment.sequence ? $0.previousEnd.offset : nil }
  }

  private func read(_ frame: SegmentScan.Frame, _ segment: SegmentFiles.Live, _ path: String) {
    for (position, record) in frame.records.enumerated() {
      let isSound = !frame.badRecords.contains(position)
      miss(record.group, before: record.ordinal)
      // A group that begins anew, as a replica in the place of another does, needs nothing from before.
      if record.ordinal == 1 || isSound && record.flags.isSuperset(of: [.reset, .hardState]) { begin(record.group) }
      seen[record.group] = (record.ordinal + 1, found.count)
      guard !isSound else {
        restate(record)
        continue
      }
      guard let need = extent.needs[record.group] else { continue }
      if need.controlSegment <= segment.sequence { loseState(record) }
      let words = reader.reason(in: frame.offset..<frame.end) ?? "another checksum"
      found.append(
        LogFault(
          sequence: segment.sequence, path: path, offset: frame.offset,
          words: "expected a record of group \(record.group), found \(words)",
          groups: record.last > need.compacted ? [record.group] : []))
    }
  }

  /// Notes what of a group's state a record that can't be read had.
  private func loseState(_ record: RecordHeader) {
    var parts: [StatePart] = record.flags.contains(.reset) ? [.reset] : []
    if record.flags.contains(.checkpoint) {
      // It says again what is known.
      if !complete.contains(record.group) { parts.append(.all) }
    } else if record.flags.contains(.hardState) {
      parts.append(.hardState)
    }
    for part in parts { stateless[record.group, default: [:]][part] = found.count }
  }

  /// Notes what a record that can be read says anew.
  private func restate(_ record: RecordHeader) {
    if record.flags.contains(.checkpoint) {
      stateless[record.group] = nil
      complete.insert(record.group)
    }
    if record.flags.contains(.hardState) { stateless[record.group]?[.hardState] = nil }
    if record.flags.contains(.reset) { stateless[record.group]?[.reset] = nil }
  }

  /// Of a group's records those before one must have been read, or they were in what could not be.
  private func miss(_ group: GroupID, before ordinal: UInt64) {
    let (next, faults) = seen[group] ?? (1, 0)
    guard next < ordinal, let need = extent.needs[group] else { return }
    for place in gaps where place >= faults && need.concerns(found[place].sequence) {
      found[place].groups.insert(group)
    }
  }

  private func begin(_ group: GroupID) {
    for place in found.indices { found[place].groups.remove(group) }
    stateless[group] = nil
    complete.insert(group)
  }

  private func note(_ segment: SegmentFiles.Live, _ path: String, _ range: Range<Int>) {
    let words = reader.reason(in: range) ?? "\(range.count) bytes that hold no valid frame"
    note(segment, path, at: range.lowerBound, "expected frames up to byte \(range.upperBound), found \(words)")
  }

  private func note(_ segment: SegmentFiles.Live, _ path: String, at offset: Int, _ words: String) {
    gaps.append(found.count)
    found.append(LogFault(sequence: segment.sequence, path: path, offset: offset, words: words, groups: []))
  }
}
