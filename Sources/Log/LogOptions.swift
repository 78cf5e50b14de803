public import Bytes

/// How a shared log is kept.
public struct LogOptions: Sendable {
  /// The size of a segment. An entry that does not fit gets a larger segment for itself.
  public var segmentBytes: ByteCount
  /// The most retired segments that are kept to be written again.
  public var spareSegments: Int
  /// A random number that a new log gets, so that no bytes from elsewhere, not even a value that holds a piece of a
  /// log, pass for its own. Ignored where a log exists.
  public var identity: UInt64

  /// The smallest segment: headers, and an entry or two.
  public static let leastSegmentBytes = ByteCount.kibibytes(4)
  /// The largest segment, oversized ones included; a file above is not read.
  public static let greatestSegmentBytes = ByteCount.mebibytes(1024)

  /// Options of these values.
  public init(
    segmentBytes: ByteCount = .mebibytes(16), spareSegments: Int = 4, identity: UInt64 = .random(in: 0 ... .max)
  ) {
    precondition(segmentBytes >= LogOptions.leastSegmentBytes && segmentBytes <= LogOptions.greatestSegmentBytes)
    precondition(spareSegments >= 1, "reclaiming a segment needs one to write to")
    self.segmentBytes = segmentBytes
    self.spareSegments = spareSegments
    self.identity = identity
  }
}
