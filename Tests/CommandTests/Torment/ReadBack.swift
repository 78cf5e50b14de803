import Bytes
import Client
import Synchronization

@testable import Commands

/// Reads back what clients wrote, and tells where the cluster's answer isn't what their acknowledgements promise.
struct ReadBack {
  /// How many clients read at once.
  private static let readers = 8
  /// How long one read may take, in milliseconds.
  private static let timeout = 30_000

  let file: ClusterFile

  /// Every record of the store.
  func all() throws(ClientError) -> [Record] {
    let stream = try client().range(RangeQuery())
    var records: [Record] = []
    while let record = try stream.next() { records.append(record) }
    return records
  }

  /// Reads every acknowledged write at its version.
  func faultsAtVersions(_ history: WriteHistory) -> [String] {
    let acknowledged = history.acknowledged
    let faults = Mutex<[String]>([])
    Threads.each(ReadBack.readers) { reader in
      let client = self.client()
      for attempt in acknowledged[share(reader, of: acknowledged.count)] {
        if let fault = fault(attempt, client) { faults.withLock { $0.append(fault) } }
      }
    }
    return faults.withLock { $0 }
  }

  private func fault(_ attempt: WriteAttempt, _ client: Client) -> String? {
    do throws(ClientError) {
      let found = try client.get(attempt.key, at: attempt.version)
      if found?.version == attempt.version, found?.value == attempt.value { return nil }
      return "\(attempt.words); read at its version: \(found.map { "a value of version \($0.version)" } ?? "absent")"
    } catch {
      return "\(attempt.words); read at its version: \(error)"
    }
  }

  /// Repeats every write of unknown outcome with its request id: each has a version afterwards, at which it is read,
  /// and a key that no other write has still has the version that was found there before, if one was.
  /// - Parameter before: all records before.
  func faultsOfRetries(_ history: WriteHistory, before: [Record]) -> [String] {
    let client = self.client()
    let found = Dictionary(before.map { ($0.key, $0.version) }) { first, _ in first }
    var faults: [String] = []
    var settled = history.acknowledged
    for attempt in history.unknown {
      do throws(ClientError) {
        let version = try client.put(attempt.key, attempt.value, requestID: attempt.unknownID)
        if attempt.isOnly, let known = found[attempt.key], known != version {
          faults.append("\(attempt.words) was found at \(known); repeated, it has version \(version)")
        }
        settled.append(attempt.settled(version))
      } catch {
        faults.append("\(attempt.words); repeated: \(error)")
      }
    }
    let added = WriteHistory(attempts: Array(settled[history.acknowledged.count...]))
    let whole = WriteHistory(attempts: settled)
    return faults + whole.repeatedVersions() + whole.misorderedVersions() + faultsAtVersions(added)
  }

  private func client() -> Client { Client(file, timeoutMilliseconds: ReadBack.timeout) }

  private func share(_ reader: Int, of count: Int) -> Range<Int> {
    count * reader / ReadBack.readers..<count * (reader + 1) / ReadBack.readers
  }
}

extension WriteAttempt {
  /// The same write, now that its version is known: it came after all that it followed, and before nothing.
  func settled(_ version: Version) -> WriteAttempt {
    WriteAttempt(
      key: key, value: value, isOnly: isOnly, sent: sent, answered: .max, outcome: .acknowledged(version))
  }
}
