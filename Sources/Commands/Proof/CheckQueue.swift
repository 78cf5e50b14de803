import Client

/// Compares the replicas of several partitions, some ahead of the one that is waited for: what one waits for on the way,
/// others use.
struct CheckQueue {
  /// What came of beginning a check.
  private enum Start {
    case begun(UInt64)
    case failed(String, at: UInt64)
  }

  let check: PartitionCheck
  private var waiting: ArraySlice<UInt32>
  private let ahead: Int
  private var starts: [UInt32: Start] = [:]
  private var touched = ProcessFacts.steadyMilliseconds

  /// How often those are asked after that are not waited for yet: what nobody asks after ends.
  private static let touchMilliseconds: UInt64 = 5000
  /// For so long nothing else is expected of a partition that nobody could begin to check.
  private static let failureMilliseconds: UInt64 = 30_000

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
    guard let group = waiting.first else { return nil }
    for next in waiting.prefix(ahead) where starts[next] == nil { starts[next] = try start(next) }
    waiting.removeFirst()
    let begun: UInt64?
    switch starts[group] {
    case .failed(let words, let time)? where ProcessFacts.steadyMilliseconds < time + CheckQueue.failureMilliseconds:
      return (group, .failed(words))
    case .begun(let number)?: begun = number
    case .failed?, nil: begun = nil
    }
    let result = try check.run(group, begun: begun) { done, total in
      show(done, total)
      touch()
    }
    return (group, result)
  }

  private func start(_ group: UInt32) throws(CommandError) -> Start? {
    do throws(ClientError) {
      return try check.begin(group).map { .begun($0) }
    } catch {
      guard error.mayPass else { throw .client(error) }
      return .failed("\(error)", at: ProcessFacts.steadyMilliseconds)
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
