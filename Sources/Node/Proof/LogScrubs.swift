import Bytes
import Environment
import Log

/// Reads the node's log for checks: once for all checks of a command, since all partitions share it.
final class LogScrubs {
  private unowned let node: Node
  private var rounds: [Round] = []
  private var isReading = false

  private struct Round {
    let number: UInt64
    let begun: Moment
    /// What was found; nil until it has been read.
    var faults: [LogFault]?
  }

  init(node: Node) {
    self.node = node
  }

  /// A check of a round has begun: the log is read from now on, unless it was for another one of the round.
  func begin(_ number: UInt64) {
    if let known = rounds.first(where: { $0.number == number }) {
      let isFresh = node.now.milliseconds(since: known.begun) < Limits.logScrubMilliseconds
      guard number == 0, known.faults != nil, !isFresh else { return }
      rounds.removeAll { $0.number == 0 }
    }
    rounds.append(Round(number: number, begun: node.now))
    read()
  }

  /// What was found for a round that concerns a group; nil as long as it isn't known.
  func faults(_ number: UInt64, of group: GroupID) -> [LogFault]? {
    guard let round = rounds.first(where: { $0.number == number }) else {
      // Forgotten, since many came after it.
      begin(number)
      return nil
    }
    return round.faults.map { faults in faults.filter { $0.groups.contains(group) } }
  }

  /// What was found is no longer so: checks that nobody asked for, which share what was found of late, read anew.
  func mended() {
    rounds.removeAll { $0.number == 0 && $0.faults != nil }
  }

  /// Reads for those that have begun meanwhile.
  private func read() {
    guard !isReading, rounds.contains(where: { $0.faults == nil }) else { return }
    isReading = true
    let waiting = Set(rounds.filter { $0.faults == nil }.map(\.number))
    node.host.run(.log) { [log = node.storage.log] in
      LogScrub(log.extent)
    } then: { [self] scrub in
      advance(scrub, waiting)
    }
  }

  private func advance(_ scrub: LogScrub, _ waiting: Set<UInt64>) {
    node.host.run(.check) {
      scrub.advance()
    } then: { [self] isMore in
      guard !isMore else { return advance(scrub, waiting) }
      guard !scrub.faults.isEmpty else { return end(waiting, []) }
      // What was reclaimed meanwhile was not damaged.
      node.host.run(.log) { [log = node.storage.log] in
        scrub.faults.filter { log.isLive($0.sequence) }
      } then: { [self] faults in
        end(waiting, faults)
      }
    }
  }

  private func end(_ waiting: Set<UInt64>, _ faults: [LogFault]) {
    isReading = false
    for place in rounds.indices where waiting.contains(rounds[place].number) { rounds[place].faults = faults }
    rounds.removeFirst(max(0, rounds.count - Limits.logScrubs))
    node.checks.readLog()
    node.logMending.begin(faults)
    read()
    node.pump()
  }
}
