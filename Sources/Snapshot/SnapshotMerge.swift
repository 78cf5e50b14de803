public import Bytes
import Table

/// The records of a chain of files as one stream, by key: of each key the state in the newest file that has it; with
/// history every version, the newest of a key first.
public final class SnapshotMerge {
  private let hasHistory: Bool
  /// For each file its cursor and the record on which it stands, the oldest file first.
  private var lanes: [(head: Lifespan, cursor: SnapshotCursor)] = []

  /// A stream over files that follow one on the other, of the keys that begin with a prefix.
  public init(_ files: [SnapshotFile], prefix: [UInt8] = []) throws(SnapshotError) {
    hasHistory = files.first?.statement.hasHistory ?? false
    let lower = prefix.isEmpty ? nil : Key(prefix)
    for file in files {
      let cursor = file.lifespans(from: lower, to: lower?.successorOfPrefix)
      if let head = try cursor.next() { lanes.append((head, cursor)) }
    }
  }

  /// The next record, or nil after the last. Without history a deletion that a later file tells of is a tombstone.
  public func next() throws(SnapshotError) -> Lifespan? {
    // Of equal ones the last: the newest file's.
    guard var least = lanes.indices.last else { return nil }
    for lane in lanes.indices.dropLast().reversed() where precedes(lanes[lane].head, lanes[least].head) { least = lane }
    let found = lanes[least].head
    for lane in lanes.indices.reversed() where isSame(lanes[lane].head, found) {
      if let next = try lanes[lane].cursor.next() { lanes[lane].head = next } else { lanes.remove(at: lane) }
    }
    return found
  }

  private func precedes(_ left: Lifespan, _ right: Lifespan) -> Bool {
    if left.record.key != right.record.key { return left.record.key < right.record.key }
    return hasHistory && left.record.version > right.record.version
  }

  private func isSame(_ left: Lifespan, _ right: Lifespan) -> Bool {
    left.record.key == right.record.key && (!hasHistory || left.record.version == right.record.version)
  }
}
