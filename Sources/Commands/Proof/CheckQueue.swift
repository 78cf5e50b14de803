import Client

/// Compares the replicas of several partitions, some ahead of the one that is waited for: what one waits for on the way,
/// others use.
struct CheckQueue {
  /// What came of beginning a check.
  private enum Start {
    case begun(UInt64)
    case failed(String)
  }

  let check: PartitionCheck
  private var waiting: ArraySlice<UInt32>
  private let ahead: Int
  private var starts: [UInt32: Start] = [:]
  private var touched = ProcessFacts.steadyMilliseconds
  /// Whether one could not be begun in its time: of the others those without a leader need not take theirs.
  private var hasFailed = false

  /// How often those are asked after that are not waited for yet: what nobody asks after ends.
  private static let touchMilliseconds: UInt64 = 5000

  /// `ahead` partitions are checked at once.
  init(_ check: PartitionCheck, _ groups: [UInt32], ahead: Int) {
    self.check = check
    self.ahead = ahead
    waiting = groups[...]
  }

  /// The next partition and what came of it; nil after the last. `show` is told how far it is.
  mutating func next(
    show: (_ done: UInt64, _ total: UInt64) -> Void
  ) throws(CommandError) -> (group: UInt32, result: PartitionCheck.Result)? {
    guard let group = waiting.popFirst() else { return nil }
    let begun: UInt64?
    // What nobody could begin ahead is tried again when it is its turn, and costs its time once then.
    if case .begun(let number)? = starts[group] {
      begun = number
    } else if hasFailed, let words = check.lackOfLeader(of: group) {
      return (group, check.judged(words, of: group))
    } else {
      switch try start(group) {
      case .failed(let words)?:
        hasFailed = true
        return (group, check.judged(words, of: group))
      case .begun(let number)?: begun = number
      case nil: begun = nil
      }
    }
    for next in waiting.prefix(ahead - 1) where starts[next] == nil {
      starts[next] = try start(next)
      // Others may fail like this one, and each would take its time.
      if case .failed? = starts[next] { break }
    }
    let result = try check.run(group, begun: begun) { done, total in
      show(done, total)
      touch()
    }
    if case .failed(let words) = result { return (group, check.judged(words, of: group)) }
    return (group, result)
  }

  private func start(_ group: UInt32) throws(CommandError) -> Start? {
    do throws(ClientError) {
      return try check.begin(group).map { .begun($0) }
    } catch {
      guard error.mayPass || error.isDamage else { throw .client(error) }
      return .failed("\(error)")
    }
  }

  private mutating func touch() {
    guard ProcessFacts.steadyMilliseconds - touched > CheckQueue.touchMilliseconds else { return }
    touched = ProcessFacts.steadyMilliseconds
    for next in waiting {
      if case .begun(let number)? = starts[next] { check.touch(next, number) }
    }
  }
}
