/// How far a check of several partitions is, for a person at a terminal.
struct CheckProgress {
  private let partitions: Int
  private let began = ProcessFacts.steadyMilliseconds
  private var line: ProgressLine
  private var finished = 0
  /// The bytes that each replica has read of the partitions that are done.
  private var finishedBytes: UInt64 = 0
  private var current: (done: UInt64, total: UInt64) = (0, 0)

  init(partitions: Int, quiet: Bool) {
    self.partitions = partitions
    line = ProgressLine(quiet: quiet)
  }

  /// The partition under way has got so far.
  mutating func show(_ done: UInt64, of total: UInt64) {
    current = (done, total)
    let words = words
    line.show(words)
  }

  /// The partition under way is done.
  mutating func next() {
    finished += 1
    finishedBytes += current.total
    current = (0, 0)
  }

  mutating func clear() { line.clear() }

  private var words: String {
    let elapsed = max(1, ProcessFacts.steadyMilliseconds - began)
    let rate = (finishedBytes + current.done) * 1000 / elapsed
    // As much again for each partition to come as for those so far, on average.
    let perPartition = (finishedBytes + current.total) / UInt64(finished + 1)
    let left = perPartition * UInt64(partitions - finished) - min(current.done, perPartition)
    let time = rate > 0 ? ", about \(StatusTable.duration(milliseconds: left * 1000 / rate)) left" : ""
    return "partition \(finished + 1) of \(partitions), \(StatusTable.size(rate))/s\(time)"
  }
}
