import Bytes
import HashRing
import Store
import Wire

// Changes above a version: what the log still has in memory is read there, where it lies in the order of versions; what is
// older, from the tables, on a worker thread.
extension Partition {
  /// Gives the changes of this partition that a query wants, once everything up to its end is applied here.
  func changes(_ query: WatchQuestion, _ done: @escaping (Result<ChangePart, StoreError>) -> Void) {
    guard query.after >= store.retention.floor else {
      return done(.failure(.notRetained(version: query.after, floor: store.retention.floor)))
    }
    if let start = logStart(after: query.after) { return done(.success(changes(inLogFrom: start, query))) }
    let arc = arc
    do throws(StoreError) {
      let scan = try store.changeScan(query.scan) { key in arc.contains(Position(ofBytes: Array(key))) }
      node.changeScans += 1
      go(on: scan) { [node] result in
        node.changeScans -= 1
        done(result)
      }
    } catch {
      done(.failure(error))
    }
  }

  private func go(on scan: ChangeScan, _ done: @escaping (Result<ChangePart, StoreError>) -> Void) {
    node.host.run(.background) { () -> Result<Bool, StoreError> in
      Result { () throws(StoreError) in try scan.step(records: Limits.changeScanRecords) }
    } then: { [self] result in
      switch result {
      case .failure(let error): done(.failure(error))
      case .success(false): go(on: scan, done)
      case .success(true):
        done(.success(ChangePart(changes: scan.changes, through: scan.through)))
      }
      node.pump()
    }
  }

  /// Whether the log's memory holds no change that a query wants. False also where that isn't known.
  func hasNoChanges(_ query: WatchQuestion) -> Bool {
    guard lastVersion > query.after else { return true }
    guard let start = logStart(after: query.after) else { return false }
    let part = changes(inLogFrom: start, query.asWhetherAny)
    return part.changes.isEmpty && part.through == .max
  }

  /// The entry from which on the log's memory holds every change above a version; nil where it doesn't.
  private func logStart(after version: Version) -> LogIndex? {
    guard let core = replica?.core, let applied = replica?.applied.index else { return nil }
    // The first entry whose first version is above.
    var low = core.firstIndex
    var high = applied.next
    while low < high {
      let middle = low + (high - low) / 2
      if let (index, first) = command(from: middle, before: high), first <= version {
        low = index.next
      } else {
        high = middle
      }
    }
    // The one before may reach above it; where there is none, the tables must not.
    var before = low
    while before > core.firstIndex {
      before = before.previous
      if let entry = core.entry(at: before), entry.isPartitionCommand { return before }
    }
    let flushed = store.flushedState
    return version >= flushed.lastVersion && core.firstIndex <= flushed.appliedIndex.next ? low : nil
  }

  /// The first entry with writes in part of the log, and its first version.
  private func command(from start: LogIndex, before end: LogIndex) -> (LogIndex, Version)? {
    var index = start
    while index < end {
      if let entry = replica?.core.entry(at: index), entry.isPartitionCommand,
        let first = PartitionCommand.firstVersion(of: entry.payload)
      {
        return (index, first)
      }
      index = index.next
    }
    return nil
  }

  private func changes(inLogFrom start: LogIndex, _ query: WatchQuestion) -> ChangePart {
    var part = ChangePart(through: query.through)
    guard let replica else { return part }
    var bytes = 0
    var scanned = 0
    var last = query.after
    var index = start
    while index <= replica.applied.index, let entry = replica.core.entry(at: index) {
      index = index.next
      guard entry.isPartitionCommand else { continue }
      // Only between entries: a version is never parted.
      if last > query.after, bytes >= query.credit || scanned >= Limits.changeScanBytes.rawValue {
        part.through = last
        break
      }
      scanned += entry.payload.count
      let decoded = try? PartitionCommand.decode(entry.payload) { write in
        guard write.version > query.after, write.version <= query.through else { return }
        let key = entry.payload[write.key]
        guard query.includes(key), arc.contains(Position(ofBytes: Array(key))) else { return }
        part.changes.append(
          Record(
            key: Key(Array(key)), version: write.version, kind: write.kind, value: Array(entry.payload[write.value])))
        bytes += key.count + write.value.count
      }
      last = max(last, decoded ?? last)
      if last >= query.through { break }
    }
    return part
  }
}

extension LogEntry {
  /// Whether the entry holds writes: not the mark of a term or of a check, a split, or a change of the membership.
  var isPartitionCommand: Bool { kind == .command && PartitionCommand.firstVersion(of: payload) != nil }
}
