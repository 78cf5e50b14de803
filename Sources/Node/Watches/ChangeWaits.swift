import Bytes
import Environment
import HashRing
import Wire

/// Requests that wait until a partition that is led here has a change that they want.
final class ChangeWaits {
  private unowned let node: Node
  /// By number, so that they are answered in the order in which they came.
  private var waits: [UInt64: Wait] = [:]
  private var byGroup: [GroupID: Set<UInt64>] = [:]
  private var next: UInt64 = 0

  private struct Wait {
    let groups: [GroupID]
    let query: WatchQuestion
    let deadline: Moment
    let reply: Reply
  }

  init(node: Node) {
    self.node = node
  }

  /// The number of requests that wait.
  var count: Int { waits.count }

  /// Answers at once if there may be a change already, else once there is one or the time is over.
  func add(_ query: WatchQuestion, in partitions: [Partition], deadline: Moment, reply: @escaping Reply) {
    guard partitions.allSatisfy({ $0.replica?.leads == true && $0.hasNoChanges(query) }) else {
      return ChangeWaits.answer(reply, hasNews: true)
    }
    guard waits.count < Limits.waitingChanges else {
      return reply(WireFailure.because(.unavailable, "too many requests wait for changes on node \(node.id)"))
    }
    next += 1
    waits[next] = Wait(groups: partitions.map(\.group), query: query, deadline: deadline, reply: reply)
    for partition in partitions { byGroup[partition.group, default: []].insert(next) }
  }

  /// A partition has applied an entry.
  func applied(_ entry: LogEntry, in partition: Partition) {
    guard !waits.isEmpty, let waiting = byGroup[partition.group], !waiting.isEmpty else { return }
    var ready: Set<UInt64> = []
    _ = try? PartitionCommand.decode(entry.payload) { write in
      let key = entry.payload[write.key]
      for number in waiting where !ready.contains(number) {
        if let wait = waits[number], write.version > wait.query.after, wait.query.includes(key) { ready.insert(number) }
      }
    }
    for number in ready.sorted() { end(number, hasNews: true) }
  }

  /// A partition was split: who waits for its changes has to wait for two partitions' now.
  func wasSplit(_ group: GroupID) {
    for number in byGroup[group, default: []].sorted() { end(number, hasNews: true) }
  }

  /// Ends what has waited long enough, and what waits for a partition that isn't led here any more: a look shows whose it
  /// is now.
  func tick() {
    guard !waits.isEmpty else { return }
    let now = node.now
    let lost = Set(byGroup.keys.filter { node.replicas[$0]?.leads != true })
    for number in waits.keys.sorted() {
      guard let wait = waits[number] else { continue }
      if wait.groups.contains(where: lost.contains) {
        end(number, hasNews: true)
      } else if wait.deadline <= now {
        end(number, hasNews: false)
      }
    }
  }

  private func end(_ number: UInt64, hasNews: Bool) {
    guard let wait = waits.removeValue(forKey: number) else { return }
    for group in wait.groups {
      byGroup[group]?.remove(number)
      if byGroup[group]?.isEmpty == true { byGroup[group] = nil }
    }
    ChangeWaits.answer(wait.reply, hasNews: hasNews)
  }

  private static func answer(_ reply: Reply, hasNews: Bool) {
    reply(.watch(.with { $0.news = hasNews }))
  }
}
