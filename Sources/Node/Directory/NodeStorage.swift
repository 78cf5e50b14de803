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
  private let cluster: String
  /// Nil where nobody else can come: in a simulation.
  let lock: DirectoryLock?
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
    disk: any Disk, directory: String, cluster: String, lock: DirectoryLock?, log: SharedLog, cacheBytes: Int,
    reserveBytes: ByteCount, startsFull: Bool, options: NodeOptions
  ) {
    self.disk = disk
    self.directory = directory
    self.cluster = cluster
    self.lock = lock
    self.log = log
    self.reserveBytes = reserveBytes
    self.startsFull = startsFull
    self.options = options
    cache = BlockCache(byteBudget: cacheBytes)
  }

  var identityFile: PairedFile { NodeDirectory.identity(directory, on: disk) }
  var catalogFile: PairedFile { NodeDirectory.catalog(directory, of: cluster, on: disk) }

  func partitionDirectory(_ group: GroupID) -> String {
    "\(NodeDirectory.partitionsPath(directory))/\(group)"
  }

  func openStore(_ group: GroupID) throws(StoreError) -> PartitionStore {
    try PartitionStore.open(
      disk: disk, directory: partitionDirectory(group), options: storeOptions(of: group), cache: cache)
  }

  func createStore(_ group: GroupID, state: StoreState) throws(StoreError) -> PartitionStore {
    try PartitionStore.create(
      disk: disk, directory: partitionDirectory(group), options: storeOptions(of: group), cache: cache, state: state)
  }

  /// Keys hash evenly, so that all partitions fill at one rate, and would be flushed at one moment. Multiples of the
  /// golden ratio spread them, however many there are.
  private func storeOptions(of group: GroupID) -> StoreOptions {
    var options = storeOptions
    let turns = Double(group.rawValue) * 0.618_033_988_749_895
    options.firstMemtableShare = max(0.05, turns - turns.rounded(.down))
    return options
  }

  /// Has the directory name a format of the cluster's, durably. Gives the reason where that failed.
  func saveFormat(_ format: UInt32) -> DiskError? {
    do throws(DiskError) {
      try NodeDirectory.raiseFormat(of: directory, to: format, on: disk)
      return nil
    } catch {
      return error
    }
  }

  /// Has the directory name the cluster's format again if it names none; gives the path of the file that does, and what
  /// became of it.
  func mendFormat(_ format: UInt32) -> (String, Result<PairedFile.Condition, DiskError>) {
    let path = NodeDirectory.formatPath(directory)
    let result = Result { () throws(DiskError) -> PairedFile.Condition in
      try NodeDirectory.mendFormat(of: directory, max(format, 1), on: disk) ? .mended([path]) : .sound
    }
    return (path, result)
  }

  /// Replaces the catalog's file, durably. Gives the reason where that failed: then its copy is the older one at least.
  func saveCatalog(_ captured: CapturedState) -> DiskError? {
    let trailer = WireSnapshotTrailer(captured.point, state: captured.state, checksum: 0)
    do throws(DiskError) {
      try catalogFile.replace(with: trailer.encoded)
      return nil
    } catch {
      return error
    }
  }
}
