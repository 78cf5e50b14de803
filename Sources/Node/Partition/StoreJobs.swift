import Environment

/// The jobs of one store: at most one flush and one compaction at a time; one that failed rests before it is tried
/// again.
struct StoreJobs {
  var isFlushing = false
  var isCompacting = false
  var flushNotBefore = Moment(rawValue: 0)
  var compactionNotBefore = Moment(rawValue: 0)

  var areIdle: Bool { !isFlushing && !isCompacting }

  func mayFlush(now: Moment) -> Bool { !isFlushing && now >= flushNotBefore }

  func mayCompact(now: Moment) -> Bool { !isCompacting && now >= compactionNotBefore }
}
