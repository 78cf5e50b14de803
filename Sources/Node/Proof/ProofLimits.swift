import Bytes

extension Limits {
  /// A partition's arc is compared in 2^12 slices: a million records in 244 of a thousand, or as many as there are.
  static let sliceBits = 12
  /// The bytes that one slice of work reads from the disk: less than a millisecond's work, after which who waits for
  /// the processor gets it.
  static let scanStepBytes = 512 << 10
  /// Of so many checks at once a node reads: while the worker reads for one the next is told what to read.
  static let checksRead = 2
  /// The largest memtable that is copied for a check; it takes a millisecond. A larger one is flushed.
  static let copiedMemtable = ByteCount.mebibytes(1)
  /// The most checks of partitions at once through one leader, and the most replicas held for checks on a node.
  static let checks = 16
  static let heldChecks = 64
  /// The most quick checks at once: they hold nothing.
  static let quickChecks = partitions
  /// A check that nobody asks after ends, and a replica held for one that isn't heard of is let go.
  static let checkPatienceMilliseconds: UInt64 = 30_000
  /// How long replicas may take to apply a check's log entry.
  static let checkMarkMilliseconds: UInt64 = 10_000
  /// How long a node may take to answer a step of a check, and may be silent before it counts as gone.
  static let checkAnswerMilliseconds: UInt64 = 2_000
  static let checkSilenceMilliseconds: UInt64 = 10_000
  /// How long the answer to a step that takes time, or to who asks after a check, waits for something to say.
  static let checkHoldMilliseconds: UInt64 = 200
  /// So often in so long a time a leader gives its leadership away because a read met damage: to any other, and to one
  /// that isn't known to be damaged.
  static let damagedReadHandOvers = 3
  static let damagedReadHandOversToSound = 12
  static let damagedReadMilliseconds: UInt64 = 30_000
  /// How often the log is read for checks which nobody asked for.
  static let logScrubMilliseconds: UInt64 = 3_600_000
  /// The most bytes of a group's entries that are written anew where the log is damaged.
  static let renewedLogBytes = ByteCount.mebibytes(16)
  /// So many rounds of checks are remembered with what was found in the log.
  static let logScrubs = 8
  /// The bytes a second that each replica reads for a check which nobody asked for.
  static let backgroundCheckRate: UInt64 = 4 << 20
  /// So long after a partition was read because its replicas' sums differed the next difference is not looked into.
  static let suspicionMilliseconds: UInt64 = 3_600_000
  /// The most pins that a check heeds.
  static let checkPins = 4096
  /// So long after a check of a learner has begun the next may begin.
  static let admissionPauseMilliseconds: UInt64 = 200
  /// How long what came of a check is kept for a repair.
  static let checkReportMilliseconds: UInt64 = 600_000
  /// The records that one answer lists, and the differences that a report does.
  static let listedRecords = 256
  static let differences = 1_000
  /// How long a node may take to fence a replica.
  static let fenceAnswerMilliseconds: UInt64 = 10_000
  /// How long a leader that is to be replaced waits for another to take its leadership over.
  static let fenceHandOverMilliseconds: UInt64 = 3_000
}
