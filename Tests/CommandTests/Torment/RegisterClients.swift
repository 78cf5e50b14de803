import Bytes
import Glibc
import Synchronization

@testable import Client
@testable import Commands

/// Clients that write and read registers until they are told to stop.
final class RegisterClients: Sendable {
  private struct Content {
    var threads: [pthread_t] = []
    /// When the writes of each register were acknowledged, in nanoseconds of the steady clock.
    var acknowledged: [[UInt64]]
    var faults: [String] = []
    var reads = 0
    var failedReads = 0
  }

  /// How long one operation of those may take that nobody holds up on purpose, in milliseconds.
  private static let timeout = 3000
  /// The rest of a client between two operations, in milliseconds: the machine is small.
  private static let rest: UInt64 = 2

  let registers: Registers
  private let content: Mutex<Content>
  private let isStopped = Atomic(false)

  /// Starts a writer for each register, and a reader that goes to each node alone whatever it leads, beside one that
  /// goes where the map says.
  init(_ registers: Registers, _ cluster: TormentCluster) throws {
    self.registers = registers
    content = Mutex(Content(acknowledged: registers.keys.map { _ in [] }))
    let file = try cluster.file()
    let single = try cluster.nodes.indices.map { try cluster.file(only: $0) }
    var threads = registers.keys.indices.map { index in Threads.start { self.write(index, file) } }
    threads.append(Threads.start { self.read(Client(file, timeoutMilliseconds: RegisterClients.timeout), seed: 0) })
    for (index, file) in single.enumerated() {
      threads.append(Threads.start { self.read(.pinned(file, RegisterClients.timeout), seed: UInt64(index + 1)) })
    }
    let started = threads.compactMap(\.self)
    content.withLock { $0.threads = started }
  }

  /// Ends the clients.
  func stop() {
    isStopped.store(true, ordering: .releasing)
    let threads = content.withLock { content in
      defer { content.threads = [] }
      return content.threads
    }
    for thread in threads { pthread_join(thread, nil) }
  }

  /// What reads gave that they must not give.
  var faults: [String] { content.withLock { $0.faults } }
  /// How many reads were answered, and how many were not in time.
  var reads: (answered: Int, failed: Int) { content.withLock { ($0.reads, $0.failedReads) } }

  /// How many writes of a register were acknowledged between two moments, in nanoseconds of the steady clock.
  func acknowledged(_ index: Int, from began: UInt64, to ended: UInt64) -> Int {
    content.withLock { $0.acknowledged[index].count { $0 >= began && $0 < ended } }
  }

  /// The longest time between two moments in which no write of a register was acknowledged, in milliseconds.
  func longestPause(_ index: Int, from began: UInt64, to ended: UInt64) -> UInt64 {
    WriteHistory.longestPause(content.withLock { $0.acknowledged[index] }, from: began, to: ended)
  }

  /// Notes the answer of a read.
  func take(_ index: Int, _ found: Found?, floor: UInt64) {
    let fault = registers.judge(index, found, floor: floor)
    content.withLock { content in
      content.reads += 1
      if let fault { content.faults.append(fault) }
    }
  }

  private func write(_ index: Int, _ file: ClusterFile) {
    let client = Client(file, timeoutMilliseconds: RegisterClients.timeout)
    while !isStopped.load(ordering: .acquiring) {
      let number = registers.next(index)
      if put(client, index, number) {
        registers.acknowledged(index, number)
        content.withLock { $0.acknowledged[index].append(ProcessFacts.steadyNanoseconds) }
      }
      ProcessFacts.sleep(milliseconds: RegisterClients.rest)
    }
  }

  /// Writes until the outcome is known: one that stays unknown might come to be later, behind the next.
  private func put(_ client: Client, _ index: Int, _ number: UInt64) -> Bool {
    var id: RequestID?
    repeat {
      do throws(ClientError) {
        _ = try client.put(registers.keys[index], Array("\(number)".utf8), requestID: id)
        return true
      } catch {
        if case .unknownOutcome(_, let unknown) = error { id = unknown }
        ProcessFacts.sleep(milliseconds: RegisterClients.rest)
      }
      // "Certainly not" of a repetition says nothing of the first attempt.
    } while id != nil && !isStopped.load(ordering: .acquiring)
    return false
  }

  private func read(_ client: Client, seed: UInt64) {
    var random = SplitMix64(seed: seed)
    while !isStopped.load(ordering: .acquiring) {
      let index = Int(random.next() % UInt64(registers.keys.count))
      let floor = registers.floor(index)
      do throws(ClientError) {
        take(index, try client.read(registers.keys[index], atNow: random.next() % 4 == 0), floor: floor)
      } catch {
        content.withLock { $0.failedReads += 1 }
      }
      ProcessFacts.sleep(milliseconds: RegisterClients.rest)
    }
  }
}

extension Client {
  /// A client that goes to the nodes of its file alone, whatever they lead.
  static func pinned(_ file: ClusterFile, _ timeoutMilliseconds: Int) -> Client {
    Client(
      file, timeout: timeoutMilliseconds, state: nil, surroundings: SystemSurroundings(.client(file), state: nil),
      usesMap: false)
  }

  /// Reads the latest value, or the value at the version that the oracle calls the latest, as a range does.
  func read(_ key: Key, atNow: Bool) throws(ClientError) -> Found? {
    try get(key, at: atNow ? try latestVersion() : nil)
  }
}
