import Bytes
import Environment

/// Reads a log's directory when it is opened: which files are segments, what they hold, where the log ends.
struct LogOpener {
  /// Where the log ends.
  struct Tail {
    let sequence: UInt64
    let end: Int
    /// The number of the next frame.
    let number: UInt64
    /// What frames and marks prove to be durable.
    let durable: LogPosition
    /// Frames behind the end, which must be voided before anything is written there.
    let stale: [Int]
    /// Whether something was there, or behind it, that can't be read, and so must not be written over.
    let hasLost: Bool
  }

  let files: SegmentFiles
  private(set) var replay = Replay()
  private(set) var identity: UInt64
  /// The segment files by number, with what their heads say.
  private(set) var segments: [UInt64: SegmentFile] = [:]
  /// The segments in which records of unknown groups were lost.
  private(set) var damaged: Set<UInt64> = []
  /// The first segment still needed.
  private(set) var oldest: UInt64 = 1
  private var reader = SegmentReader()

  private var disk: any Disk { files.disk }

  /// Makes the directory if it does not exist, and reads the heads of all segments.
  init(disk: any Disk, directory: String, options: LogOptions) throws(LogError) {
    files = SegmentFiles(disk: disk, directory: directory, options: options)
    identity = options.identity
    do throws(DiskError) {
      if !disk.exists(directory) { try disk.createDirectory(directory) }
      // Even if it exists: who made it may not have come to this.
      let parent = directory.lastIndex(of: "/").map { $0 == directory.startIndex ? "/" : String(directory[..<$0]) }
      try disk.syncDirectory(parent ?? ".")
      for name in try disk.list(directory) {
        if name.hasSuffix(SegmentFiles.damagedSuffix) {
          replay.lose(directory + "/" + name, at: 0, expected: "nothing set aside", found: "a damaged segment")
        }
        guard let sequence = SegmentFiles.sequence(ofName: name) else { continue }
        segments[sequence] = try SegmentFile(disk: disk, path: files.path(sequence), sequence: sequence)
      }
    } catch {
      throw .disk(error)
    }
    for segment in ordered {
      if case .unsupported(let found) = segment.reading {
        throw .unsupportedFormat(path: files.path(segment.sequence), found: found, supported: SegmentHeader.version)
      }
    }
  }

  /// Reads all that is needed, oldest first.
  /// - Returns: the end, or nil where no segment can be told to be the last.
  mutating func read() throws(LogError) -> Tail? {
    guard let last = try newest() else {
      loseAll()
      return nil
    }
    // The last segment says which is the first, so it is looked at first.
    var tailReader = SegmentReader()
    var scan = try scan(last, &tailReader)
    let proven = lacksNext(last, scan) ? .max : scan.durable.sequence == last.sequence ? scan.durable.offset : 0
    let stale = LogOpener.cut(&scan, proven: proven, tailReader)
    oldest = min(max(last.header?.oldest ?? 1, scan.oldest, try oldest(before: last)), last.sequence)
    try refuseMisplaced()
    passOverSpares(after: last.sequence)
    replay.expect(number: segments[oldest]?.header?.firstFrame)
    for sequence in oldest..<last.sequence { try apply(sequence) }
    apply(last, scan, tailReader)
    return tail(last, scan, stale, tailReader)
  }

  /// The size of a segment's file before anything was cut from it, as far as that is known; 0 if there is none.
  func bytes(_ sequence: UInt64) -> Int {
    guard let segment = segments[sequence] else { return 0 }
    return max(segment.wholeBytes, segment.reading == .damaged ? files.options.segmentBytes.rawValue : 0)
  }

  // MARK: Which segment is the last

  /// The files in the order of their names.
  var ordered: [SegmentFile] { segments.values.sorted { $0.sequence < $1.sequence } }

  /// The segment with the highest number. One whose header is lost is known by frames that bear its number; with none
  /// it may be a spare, which loses nothing, but as well the last segment, all of which is lost, unless the one before
  /// tells.
  private mutating func newest() throws(LogError) -> SegmentFile? {
    let valid = ordered.last { $0.header != nil }
    // A spare's header, which it has from before, tells the identity as well.
    guard let header = valid?.header ?? ordered.last(where: { $0.foreign != nil })?.foreign else { return nil }
    identity = header.identity
    let next = (valid?.sequence ?? 0) + 1
    for segment in ordered.reversed()
    where segment.sequence == next || segment.sequence > next && segment.reading == .damaged {
      if try !scan(segment, &reader).items.isEmpty { return segment }
      if segment.sequence == next, segment.reading == .damaged, try !isLast(valid) { return segment }
    }
    return valid
  }

  /// Whether nothing was written behind a segment: it would say so if the next had been begun.
  private mutating func isLast(_ segment: SegmentFile?) throws(LogError) -> Bool {
    guard let segment, let header = segment.header, header.isMarkedWhenLeft else { return false }
    let scan = try scan(segment, &reader)
    return scan.durable.sequence <= segment.sequence && scan.items.last?.isSound != false
      && scan.end + FrameHeader.bytes <= segment.bytes
  }

  /// The first segment still needed as the segment before one says that has lost its header, and may have lost all.
  private mutating func oldest(before last: SegmentFile) throws(LogError) -> UInt64 {
    guard last.header == nil, let before = segments[last.sequence - 1], let header = before.header else { return 1 }
    return max(header.oldest, try scan(before, &reader).oldest)
  }

  /// Without a last segment: the log is new, or there is nothing left to read it by.
  private mutating func loseAll() {
    let lost = ordered.filter { $0.reading != .blank }
    for segment in lost {
      damaged.insert(segment.sequence)
      replay.lose(
        files.path(segment.sequence), at: 0, expected: "the header of segment \(segment.sequence)",
        found: "none, nor another segment by which to read this one")
    }
    oldest = lost.first?.sequence ?? 1
    // A second file is made only when the first has its header.
    if lost.isEmpty, let spare = ordered.last, spare.sequence > 1 {
      replay.lose(files.path(spare.sequence), at: 0, expected: "a segment before this one", found: "no such file")
    }
    identity = files.options.identity
  }

  /// Whether the segment after the last one is lost: a mark says that it was begun; or, where none need have been made,
  /// its file is missing, though there are some behind it, for files are only ever made and taken in the order of their
  /// numbers.
  private func lacksNext(_ last: SegmentFile, _ scan: SegmentScan) -> Bool {
    if scan.durable.sequence > last.sequence { return true }
    return last.header?.isMarkedWhenLeft != true && segments[last.sequence + 1] == nil
      && segments.keys.contains { $0 > last.sequence }
  }

  /// A spare's header is whole, or zeros. One of which it is neither has lost nothing, since nothing was in it.
  private mutating func passOverSpares(after last: UInt64) {
    for segment in ordered where segment.sequence < oldest || segment.sequence > last {
      guard segment.reading == .damaged else { continue }
      replay.note(
        files.path(segment.sequence), at: 0, expected: "the header of a spare segment", found: "two damaged copies")
    }
  }

  private func refuseMisplaced() throws(LogError) {
    for segment in ordered {
      guard let header = segment.foreign, header.sequence >= oldest, header.identity == identity else { continue }
      throw .misplaced(path: files.path(segment.sequence), expected: segment.sequence, found: header.sequence)
    }
  }

  private func scan(_ segment: SegmentFile, end: Int? = nil, _ reader: inout SegmentReader) throws(LogError)
    -> SegmentScan
  {
    let count = min(end ?? bytes(segment.sequence), LogOptions.greatestSegmentBytes.rawValue)
    do throws(DiskError) {
      try reader.read(disk: disk, path: files.path(segment.sequence), count: count)
    } catch {
      throw .disk(error)
    }
    return SegmentScan(
      reader.bytes, seed: SegmentHeader.seed(identity: identity, sequence: segment.sequence),
      firstNumber: segment.header?.firstFrame)
  }

  // MARK: What segments hold

  /// Drops the torn end of the last segment: from the first place on that is not sound though nothing proves that it
  /// was durable. A part that can't be read is not torn: no write leaves that behind.
  private static func cut(_ scan: inout SegmentScan, proven: Int, _ reader: SegmentReader) -> [Int] {
    let torn = scan.items.firstIndex { item in
      !item.isSound && item.range.lowerBound >= proven && reader.reason(in: item.range) == nil
    }
    return torn.map { scan.cut(from: $0) } ?? []
  }

  /// Applies a segment that is not the last, all of which is durable.
  private mutating func apply(_ sequence: UInt64) throws(LogError) {
    let path = files.path(sequence)
    guard let segment = segments[sequence] else {
      replay.lose(path, at: 0, expected: "segment \(sequence)", found: "no such file")
      return
    }
    let previousEnd = segments[sequence + 1]?.header?.previousEnd
    let end = previousEnd.flatMap { $0.sequence == sequence ? $0.offset : nil }
    let scan = try scan(segment, end: end, &reader)
    apply(segment, scan, reader)
    let isEmpty = segment.header == nil && scan.items.isEmpty
    if let end = end ?? (isEmpty ? bytes(sequence) : nil), scan.end < end {
      damaged.insert(sequence)
      replay.lose(path, at: scan.end..<end, reader)
    } else {
      noteCut(segment)
    }
  }

  /// Tells of a file that ends early, but behind all of its frames.
  private mutating func noteCut(_ segment: SegmentFile) {
    guard segment.bytes < segment.wholeBytes else { return }
    replay.note(
      files.path(segment.sequence), at: segment.bytes, expected: "\(segment.wholeBytes) bytes of a segment",
      found: "the end of the file, and no frame that it cuts")
  }

  private mutating func apply(_ segment: SegmentFile, _ scan: SegmentScan, _ reader: SegmentReader) {
    let path = files.path(segment.sequence)
    let before = replay.lossCount
    if segment.header == nil {
      let found = segment.reading == .damaged ? "two damaged copies" : "none, or that of another segment"
      replay.note(path, at: 0, expected: "the header of segment \(segment.sequence)", found: found)
    }
    // Behind a loss a segment is begun with a number that leaves one out.
    if let first = segment.header?.firstFrame, let expected = replay.nextNumber, first > expected {
      replay.lose(path, at: 0, expected: "frame \(expected)", found: "a header that begins with frame \(first)")
      replay.expect(number: first)
    }
    replay.apply(scan, reader, path: path, sequence: segment.sequence)
    if replay.lossCount > before { damaged.insert(segment.sequence) }
  }

  /// What was found in the end: the groups for the caller, and what the log itself remembers of them.
  mutating func finish() -> (groups: [(GroupID, RecoveredGroup)], tracks: [GroupID: GroupTrack]) { replay.finish() }

  private mutating func tail(
    _ last: SegmentFile, _ scan: SegmentScan, _ stale: [Int], _ reader: SegmentReader
  ) -> Tail {
    var end = scan.end
    var number = max(scan.nextNumber ?? 1, replay.nextNumber ?? 1)
    let next = end..<end + FrameHeader.claimedBytes(reader.bytes, at: end)
    let isGone = last.header == nil && scan.items.isEmpty
    let isUnreadable = isGone || stale.isEmpty && !next.isEmpty && reader.reason(in: next) != nil
    if !isUnreadable { noteCut(last) }
    if isUnreadable {
      let unreadable = end..<(isGone ? reader.bytes.count : reader.endOfUnreadable(from: next))
      replay.lose(files.path(last.sequence), at: unreadable, reader)
      damaged.insert(last.sequence)
      end = unreadable.upperBound
      number += 1
    }
    let lacksNext = lacksNext(last, scan)
    if lacksNext {
      let missing = last.sequence + 1
      let found = segments[missing] == nil ? "no such file" : "a file that no segment was begun in"
      replay.lose(files.path(missing), at: 0, expected: "segment \(missing)", found: found)
      number += 1
    }
    return Tail(
      sequence: last.sequence, end: end, number: number, durable: scan.durable, stale: stale,
      hasLost: isUnreadable || lacksNext)
  }
}
