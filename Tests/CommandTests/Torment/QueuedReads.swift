import Bytes
import Client
import Glibc
import Synchronization

@testable import Commands

/// Reads that are sent to one node while it is frozen, over connections made before, and wait there for its thaw.
final class QueuedReads: Sendable {
  private struct Content {
    var threads: [pthread_t] = []
    var connected = 0
    var answered = 0
  }

  private let clients: RegisterClients
  private let count: Int
  private let content = Mutex(Content())
  private let hasBegun = Atomic(false)

  /// Makes the connections. The reads will be of these registers in turn.
  init(_ clients: RegisterClients, _ registers: [Int], file: ClusterFile, count: Int) {
    self.clients = clients
    self.count = count
    let threads = (0..<count).compactMap { number in
      Threads.start { self.read(registers[number % registers.count], file, number) }
    }
    content.withLock { $0.threads = threads }
    let deadline = ProcessFacts.steadyMilliseconds + TormentCluster.healthMilliseconds
    while content.withLock({ $0.connected < threads.count }), ProcessFacts.steadyMilliseconds < deadline {
      ProcessFacts.sleep(milliseconds: 5)
    }
  }

  /// Sends the reads, at equal distances over the time of a freeze that begins now.
  func begin() { hasBegun.store(true, ordering: .releasing) }

  /// Waits until each read was answered or has failed.
  func wait() {
    let threads = content.withLock { content in
      defer { content.threads = [] }
      return content.threads
    }
    for thread in threads { pthread_join(thread, nil) }
  }

  /// How many were answered.
  var answered: Int { content.withLock { $0.answered } }

  private func read(_ index: Int, _ file: ClusterFile, _ number: Int) {
    // The first attempt waits for half of the time: until after the thaw.
    let client = Client.pinned(file, Int(clamping: 4 * TormentSettings.freezeMilliseconds + 20_000))
    let key = clients.registers.keys[index]
    _ = try? client.read(key, atNow: false)
    content.withLock { $0.connected += 1 }
    while !hasBegun.load(ordering: .acquiring) { ProcessFacts.sleep(milliseconds: 1) }
    ProcessFacts.sleep(milliseconds: TormentSettings.freezeMilliseconds * UInt64(number) / UInt64(count))
    let floor = clients.registers.floor(index)
    guard let found = try? client.read(key, atNow: number % 3 == 0) else { return }
    clients.take(index, found, floor: floor)
    content.withLock { $0.answered += 1 }
  }
}
