public import Bytes
public import Environment

/// The Raft log of all groups of a node: one write and one sync make a batch for any number of groups durable.
///
/// The format, and how a torn tail is told from damage, is in kv-log(5).
///
/// After `open` a log is confined to one thread at a time. It keeps no entries in memory.
public final class SharedLog: @unchecked Sendable {
  // SAFETY: every member is touched only within the calls of the one worker that has the log.

  let disk: any Disk
  /// The random number that all segments bear.
  public let identity: UInt64
  var files: SegmentFiles
  var segment: Segment
  /// Where in the segment the next frame goes.
  var offset: Int
  /// The number of the next frame.
  var number: UInt64
  /// Everything before this is durable.
  var durable: LogPosition
  /// The first segment that recovery needs.
  var oldest: UInt64
  var isDirty = false
  /// Whether a mark behind the last frame says that it is durable.
  var isMarked = true
  var tracks: [GroupID: GroupTrack]
  var live: LiveRuns
  var failure: DiskError?
  /// Whether a spare is being made on another thread.
  var isMakingSpare = false
  var frame = FrameBuilder()

  init(
    identity: UInt64, files: SegmentFiles, segment: Segment, offset: Int, number: UInt64, durable: LogPosition,
    oldest: UInt64, tracks: [GroupID: GroupTrack], live: LiveRuns
  ) {
    disk = files.disk
    self.identity = identity
    self.files = files
    self.segment = segment
    self.offset = offset
    self.number = number
    self.durable = durable
    self.oldest = oldest
    self.tracks = tracks
    self.live = live
  }

  /// Remembers a failure for ever, unless it is a full disk.
  func refuse(_ error: DiskError) -> LogError {
    if error.isDiskFull, error.operation != "sync" { return .full(error) }
    failure = error
    return .failed(error)
  }
}

/// How large a log is.
public struct LogStatistics: Equatable, Sendable {
  /// The bytes of the segments in use.
  public let bytes: ByteCount
  /// How many segments are in use.
  public let segments: Int
  /// How many files wait to become segments.
  public let spares: Int
  /// Why the log is dead, if it is.
  public let failure: DiskError?
}

extension SharedLog {
  /// How far the log is durable: a number that rises, of use for nothing but comparisons.
  public var durableEnd: UInt64 { durable.rawValue }

  /// How large the log is.
  public var statistics: LogStatistics {
    LogStatistics(
      bytes: .bytes(files.bytes()), segments: files.live.count, spares: files.spareCount, failure: failure)
  }

  /// The number of the oldest segment that holds an entry which a group still needs; nil where there is none.
  public func oldestSegment(of group: GroupID) -> UInt64? { tracks[group]?.oldestSegment }

  /// The bytes of log that can't be reclaimed for the sake of a group's entries.
  public func pinnedBytes(by group: GroupID) -> ByteCount {
    .bytes(tracks[group]?.oldestSegment.map { files.bytes(from: $0) } ?? 0)
  }

  /// The groups whose entries keep more than a number of bytes of log from being reclaimed, the one that needs the
  /// oldest segment first. To flush them and say so (`compactedThrough`) bounds the log.
  public func pinningGroups(beyond bytes: ByteCount) -> [GroupID] {
    guard files.bytes() > bytes.rawValue else { return [] }
    return tracks.compactMap { group, track in track.oldestSegment.map { (group, $0) } }
      .filter { files.bytes(from: $0.1) > bytes.rawValue }
      .sorted { ($0.1, $0.0) < ($1.1, $1.0) }
      .map(\.0)
  }
}
