import Bytes
import Client
import Glibc
import Synchronization

@testable import Commands

/// Clients that write without a rest, each on a thread of its own with one write under way, each to one partition: so
/// a partition that stands still holds up its own clients alone.
final class Writers: Sendable {
  private struct Content {
    var attempts: [WriteAttempt] = []
    /// Acknowledged writes by group.
    var counts: [UInt32: Int] = [:]
    var threads: [pthread_t] = []
  }

  /// How long one write may take, retries and all, in milliseconds, client by client: some give up while no leader is
  /// there, so that outcomes stay unknown.
  static let usualPatience = [10_000, 10_000, 10_000, 10_000, 250]
  /// How long a client rests after a write that failed, in milliseconds.
  private static let rest: UInt64 = 10
  /// One write in so many goes to a key of its partition that all clients write.
  private static let sharedEvery = 4
  private static let valuePadding = String(repeating: ".", count: 100)

  private let content = Mutex(Content())
  private let isStopped = Atomic(false)
  private let table: PartitionTable
  private let file: ClusterFile
  private let name: String
  private let patience: [Int]
  let began = ProcessFacts.steadyNanoseconds

  /// Starts the clients. The name sets their keys apart from those of others.
  init(
    _ name: String, count: Int, patience: [Int] = Writers.usualPatience, _ file: ClusterFile, _ table: PartitionTable
  ) {
    self.name = name
    self.table = table
    self.file = file
    self.patience = patience
    let threads = (0..<count).compactMap { index in Threads.start { self.write(index) } }
    content.withLock { $0.threads = threads }
  }

  /// How many writes of each partition were acknowledged so far.
  var counts: [UInt32: Int] { content.withLock { $0.counts } }

  /// Ends the clients and gives all that they wrote.
  func stop() -> WriteHistory {
    isStopped.store(true, ordering: .releasing)
    let threads = content.withLock { content in
      defer { content.threads = [] }
      return content.threads
    }
    for thread in threads { pthread_join(thread, nil) }
    return WriteHistory(attempts: content.withLock { $0.attempts })
  }

  private func write(_ index: Int) {
    let client = Client(file, timeoutMilliseconds: patience[index % patience.count])
    let group = table.groups[index % table.groups.count]
    let shared = (0..<2).map { table.key("shared/\(group)/\($0)", in: group) }
    var number = 0
    while !isStopped.load(ordering: .acquiring) {
      number += 1
      let isOnly = number % Writers.sharedEvery != 0
      let key = isOnly ? table.key("\(name)/\(index)/\(number)", in: group) : shared[number / 4 % 2]
      let attempt = attempt(client, key, "\(name)/\(index)/\(number) \(Writers.valuePadding)", isOnly)
      content.withLock { content in
        content.attempts.append(attempt)
        if attempt.version != nil { content.counts[group, default: 0] += 1 }
      }
      if attempt.version == nil { ProcessFacts.sleep(milliseconds: Writers.rest) }
    }
  }

  private func attempt(_ client: Client, _ key: Key, _ value: String, _ isOnly: Bool) -> WriteAttempt {
    let value = Array(value.utf8)
    let sent = ProcessFacts.steadyNanoseconds
    let outcome: WriteAttempt.Outcome
    do throws(ClientError) {
      outcome = .acknowledged(try client.put(key, value))
    } catch {
      if case .unknownOutcome(_, let id) = error { outcome = .unknown(id) } else { outcome = .refused("\(error)") }
    }
    return WriteAttempt(
      key: key, value: value, isOnly: isOnly, sent: sent, answered: ProcessFacts.steadyNanoseconds, outcome: outcome)
  }
}
