import Bytes
import Client
import Glibc
import Synchronization

@testable import Commands
@testable import Simulation

/// Clients of real nodes that write, compare and write, and read a few keys, now and in the past, and note all of it for
/// the checks that the simulator's runs pass.
final class HistoryClients: Sendable {
  private struct Content {
    var operations: [Operation] = []
    /// The last versions that somebody was told, key by key.
    var told: [[UInt8]: [Version]] = [:]
    var threads: [pthread_t] = []
    var acknowledged = 0
  }

  /// How long one operation may take, in milliseconds, client by client: some give up early, so that outcomes stay
  /// unknown.
  private static let patience = [3000, 3000, 300]
  /// The rest of a client between two operations, in milliseconds: the machine is small, and histories are checked in
  /// a time that grows with what overlaps.
  private static let rest: UInt64 = 8

  private let content = Mutex(Content())
  private let isStopped = Atomic(false)
  private let keys: [Key]
  private let seed: UInt64

  /// Starts clients that go where the map says, and one for each node that goes to that node alone.
  init(_ cluster: TormentCluster, keys: [Key], count: Int, seed: UInt64) throws {
    self.keys = keys
    self.seed = seed
    let file = try cluster.file()
    let single = try cluster.nodes.indices.map { try cluster.file(only: $0) }
    let threads = (0..<count + single.count).compactMap { number in
      Threads.start { [self] in
        let patience = HistoryClients.patience[number % HistoryClients.patience.count]
        run(
          number,
          number < count
            ? Client(file, timeoutMilliseconds: patience) : .pinned(single[number - count], patience))
      }
    }
    content.withLock { $0.threads = threads }
  }

  /// How many writes were acknowledged so far.
  var acknowledged: Int { content.withLock { $0.acknowledged } }

  /// Ends the clients.
  func stop() {
    isStopped.store(true, ordering: .releasing)
    let threads = content.withLock { content in
      defer { content.threads = [] }
      return content.threads
    }
    for thread in threads { pthread_join(thread, nil) }
  }

  /// All that was asked and answered, beside all that the cluster holds in the end, read by a client.
  func record(heldBy client: Client) throws(ClientError) -> RunRecord {
    let record = RunRecord(keys: 0)
    for key in keys {
      for found in try HistoryClients.versions(of: key, client).reversed() {
        let words = String(decoding: found.value, as: UTF8.self).split(separator: "/")
        let id = RunRecord.WriteID(client: Int(words[0]) ?? -1, sequence: UInt64(words[1]) ?? 0)
        record.add(RunRecord.Applied(version: found.version, value: found.value, id: id), to: key.bytes)
      }
    }
    for operation in content.withLock({ $0.operations }) { record.add(operation) }
    return record
  }

  /// Every version of a key that was never deleted, the newest first.
  private static func versions(of key: Key, _ client: Client) throws(ClientError) -> [Found] {
    var chain: [Found] = []
    var at: Version?
    while let found = try client.get(key, at: at) {
      chain.append(found)
      at = Version(rawValue: found.version.rawValue - 1)
    }
    return chain
  }

  private func run(_ number: Int, _ client: Client) {
    var random = SplitMix64(seed: seed &+ UInt64(number))
    var sequence: UInt64 = 0
    while !isStopped.load(ordering: .acquiring) {
      sequence += 1
      let key = keys[Int(random.next() % UInt64(keys.count))]
      let intent = intent(on: key.bytes, value: Array("\(number)/\(sequence)".utf8), &random)
      let sent = ProcessFacts.steadyNanoseconds
      let outcome = HistoryClients.carryOut(intent, on: key, client)
      if let outcome {
        note(
          Operation(
            client: number, key: key.bytes, intent: intent, sequence: sequence, sent: sent,
            answered: ProcessFacts.steadyNanoseconds, outcome: outcome))
      }
      ProcessFacts.sleep(milliseconds: HistoryClients.rest)
    }
  }

  private func intent(on key: [UInt8], value: [UInt8], _ random: inout SplitMix64) -> Intent {
    let told = content.withLock { $0.told[key] ?? [] }
    let draw = random.next() % 100
    if draw < 35 { return .write(value: value, condition: .none) }
    if draw < 40 { return .write(value: value, condition: .absent) }
    if draw < 60, let last = told.last { return .write(value: value, condition: .version(last)) }
    if draw < 75, let version = told.randomElement(using: &random) {
      return .readAt(Version(rawValue: version.rawValue - random.next() % 2))
    }
    return .read
  }

  private func note(_ operation: Operation) {
    content.withLock { content in
      content.operations.append(operation)
      switch operation.outcome {
      case .done(let version):
        content.acknowledged += 1
        content.told[operation.key, default: []].append(version)
      case .found(_, let version) where operation.intent == .read:
        content.told[operation.key, default: []].append(version)
      default: break
      }
    }
  }

  /// What came of an operation; nil where a read was not answered, which says nothing.
  private static func carryOut(_ intent: Intent, on key: Key, _ client: Client) -> Outcome? {
    do throws(ClientError) {
      switch intent {
      case .write(let value, let condition):
        return .done(try client.put(key, value ?? [], condition: condition.asked))
      case .read:
        return try client.get(key).map { .found($0.value, $0.version) } ?? .absent
      case .readAt(let version):
        return try client.get(key, at: version).map { .found($0.value, $0.version) } ?? .absent
      }
    } catch {
      guard case .write = intent else { return nil }
      switch error {
      case .conditionFalse(let current): return .conditionFalse(current ?? .zero)
      case .unknownOutcome, .unsettled, .internal: return .unknown
      default: return .notDone
      }
    }
  }
}

extension Intent.Condition {
  fileprivate var asked: WriteCondition {
    switch self {
    case .none: .none
    case .absent: .ifAbsent
    case .version(let version): .ifVersion(version)
    }
  }
}
