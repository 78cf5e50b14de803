public import Bytes
import Environment
import HashRing
import Raft
import Store
import Table
import Wire

/// The records with which a new cluster begins.
public struct ClusterSeed {
  /// The newest version among them: those of the cluster begin above.
  public let version: Version
  /// The oldest version that they show.
  public let floor: Version
  private let next: () throws(ClusterSeedError) -> Lifespan?

  /// Records that `next` gives one after the other, by key, the newest of a key first; then nil.
  public init(version: Version, floor: Version, next: @escaping () throws(ClusterSeedError) -> Lifespan?) {
    self.version = version
    self.floor = floor
    self.next = next
  }

  /// Makes the stores of a cluster's partitions, each with the records of its arc.
  func fill(
    _ partitions: [WireCatalogPartition], of replica: ReplicaID, at point: SnapshotHeader, under parent: String,
    on disk: any Disk
  ) throws {
    var parts: [Part] = []
    for partition in partitions {
      let arc = try Arc(validating: UInt64(partition.bits), prefix: partition.prefix)
      let state = PartitionState(
        replica: replica, arc: arc, epoch: partition.epoch, lastVersion: version, sessions: [])
      parts.append(
        Part(
          state: state,
          writer: try SnapshotWriter(
            disk: disk, directory: "\(parent)/\(partition.group)", options: NodeOptions().store)))
    }
    // The first partitions of a cluster are equal arcs in the order of their prefixes.
    let bits = UInt64(parts[0].state.arc.bits)
    precondition(
      parts.indices.allSatisfy { parts[$0].state.arc.bits == Int(bits) && parts[$0].state.arc.prefix == UInt64($0) })
    var last: Record?
    while let span = try next() {
      let record = span.record
      guard record.kind == .value else { continue }
      let place = bits == 0 ? 0 : Int(Position(of: record.key).rawValue >> (64 - bits))
      // A gap between a record and the next newer one is a deletion.
      let newer = last?.key == record.key ? last?.version : nil
      if span.to != .max, span.to != newer { try parts[place].add(.tombstone(record.key, span.to)) }
      try parts[place].add(record)
      last = record
    }
    for part in parts {
      try part.writer.finish(state: part.state.storeState(at: point), retention: Retention(floor: floor))
    }
  }

  /// A partition in the making.
  private struct Part {
    var state: PartitionState
    let writer: SnapshotWriter

    mutating func add(_ record: Record) throws(StoreError) {
      try record.withView { (view) throws(StoreError) in
        state.applied?.add(view)
        try writer.add(view)
      }
    }
  }
}

/// Why the records of a seed could not be had.
public struct ClusterSeedError: Error {
  /// What happened, in words.
  public let words: String

  /// An error in these words.
  public init(words: String) {
    self.words = words
  }
}
