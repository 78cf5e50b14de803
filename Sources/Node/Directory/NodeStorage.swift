import Bytes
import Environment
import Log
import Raft
import Store
import Table
import Wire

/// What a node has on its disk, for the jobs of its worker threads.
final class NodeStorage: Sendable {
  let disk: any Disk
  let directory: String
  let log: SharedLog
  /// Shared by all stores of the node.
  let cache: BlockCache
  let options: NodeOptions
  var storeOptions: StoreOptions { options.store }
  /// How much is kept aside for when the disk is full.
  let reserveBytes: ByteCount
  /// Whether the disk was full when the directory was opened.
  let startsFull: Bool

  init(
    disk: any Disk, directory: String, log: SharedLog, cacheBytes: Int, reserveBytes: ByteCount, startsFull: Bool,
    options: NodeOptions
  ) {
    self.disk = disk
    self.directory = directory
    self.log = log
    self.reserveBytes = reserveBytes
    self.startsFull = startsFull
    self.options = options
    cache = BlockCache(byteBudget: cacheBytes)
  }

  func partitionDirectory(_ group: GroupID) -> String {
    "\(NodeDirectory.partitionsPath(directory))/\(group)"
  }

  func openStore(_ directory: String) throws(StoreError) -> PartitionStore {
    try PartitionStore.open(disk: disk, directory: directory, options: storeOptions, cache: cache)
  }

  func createStore(_ directory: String, state: StoreState) throws(StoreError) -> PartitionStore {
    try PartitionStore.create(disk: disk, directory: directory, options: storeOptions, cache: cache, state: state)
  }

  /// Replaces the catalog's file, durably. Gives the reason where that failed; then nothing has changed.
  func saveCatalog(_ captured: CapturedState) -> DiskError? {
    let trailer = WireSnapshotTrailer(captured.point, state: captured.state, checksum: 0)
    do throws(DiskError) {
      try disk.replace(NodeDirectory.catalogPath(directory), with: Checked.wrap(trailer.encoded))
      return nil
    } catch {
      return error
    }
  }
}
