import Bytes
public import Environment

extension SharedLog {
  /// Opens the log in a directory, or makes one, and gives what it holds.
  ///
  /// A torn tail, which was never acknowledged, is dropped. Damage before the tail stays as it is on the disk, is
  /// listed in `RecoveredLog.damage`, and shows in the health of the groups that it touches. What only a mark could
  /// have proven, the last batch before a power failure, counts as torn if it is damaged.
  ///
  /// The end of the log is written and synced again: after a sync that failed in the process before, the system's
  /// cache may hold what the disk does not.
  public static func open(
    disk: any Disk, directory: String, options: LogOptions = LogOptions()
  ) throws(LogError) -> (SharedLog, RecoveredLog) {
    var opener = try LogOpener(disk: disk, directory: directory, options: options)
    let tail = try opener.read()
    let (groups, tracks) = opener.finish()
    do throws(DiskError) {
      let files = try collect(opener, last: tail?.sequence)
      let log = try goOn(opener, files, tail, tracks)
      // Without a spare the log works as well: it makes one when it needs it.
      do throws(DiskError) { try log.files.prepare() } catch { if !error.isDiskFull { throw error } }
      return (log, RecoveredLog(groups: groups, damage: opener.replay.damage))
    } catch {
      throw .disk(error)
    }
  }

  /// Sorts the files into live segments and spares.
  private static func collect(_ opener: LogOpener, last: UInt64?) throws(DiskError) -> SegmentFiles {
    var files = opener.files
    files.damaged = opener.damaged
    let all = opener.ordered
    let newest = last ?? opener.damaged.max() ?? 0
    for file in all where file.sequence >= opener.oldest && file.sequence <= newest {
      files.adopt(file.sequence, bytes: file.bytes)
    }
    // Those after the last are in their places, or move down; so those before the first find theirs free.
    for file in all.filter({ $0.sequence > newest }) + all.filter({ $0.sequence < opener.oldest }) {
      if file.reading == .damaged { try files.clearHeader(file.sequence) }
      try files.recycle(file.sequence, bytes: file.bytes, isBlank: file.header == nil && file.foreign == nil)
    }
    try files.removeUnfinished()
    // What the process before renamed may be seen here and not be durable.
    try files.disk.syncDirectory(files.directory)
    return files
  }

  private static func goOn(
    _ opener: LogOpener, _ given: SegmentFiles, _ tail: LogOpener.Tail?, _ tracks: [GroupID: GroupTrack]
  ) throws(DiskError) -> SharedLog {
    var files = given
    if let tail, !tail.hasLost {
      let segment = try rewrite(opener, files, tail)
      let log = SharedLog(
        identity: opener.identity, files: files, segment: segment, offset: tail.end, number: tail.number,
        durable: tail.durable, oldest: opener.oldest, tracks: tracks, live: opener.replay.live)
      log.isDirty = true
      try log.syncSegment()
      return log
    }
    let next = try files.advance(bytes: 0)
    let segment = Segment(
      file: next.file, sequence: next.sequence, bytes: next.bytes,
      seed: SegmentHeader.seed(identity: opener.identity, sequence: next.sequence))
    let end = LogPosition(
      sequence: tail?.sequence ?? next.sequence - 1, offset: tail?.end ?? opener.bytes(next.sequence - 1))
    let log = SharedLog(
      identity: opener.identity, files: files, segment: segment, offset: SegmentHeader.blockBytes,
      number: tail?.number ?? 1, durable: end,
      oldest: tail == nil && opener.damaged.isEmpty ? next.sequence : opener.oldest,
      tracks: tracks, live: opener.replay.live)
    try log.writeHeader(previousEnd: end)
    try log.syncSegment()
    return log
  }

  /// Voids what lies behind the end, and writes again what may not be durable.
  private static func rewrite(
    _ opener: LogOpener, _ files: SegmentFiles, _ tail: LogOpener.Tail
  ) throws(DiskError) -> Segment {
    let file = try files.disk.open(files.path(tail.sequence), .readWrite)
    for offset in tail.stale { try file.write([0, 0, 0, 0], at: UInt64(offset)) }
    let bytes = opener.bytes(tail.sequence)
    try SegmentFiles.restore(file, bytes: bytes)
    let start = tail.durable.sequence == tail.sequence ? tail.durable.offset : 0
    if start < tail.end {
      try file.write(try file.read(at: UInt64(start), count: tail.end - start), at: UInt64(start))
    }
    return Segment(
      file: file, sequence: tail.sequence, bytes: bytes,
      seed: SegmentHeader.seed(identity: opener.identity, sequence: tail.sequence))
  }
}
