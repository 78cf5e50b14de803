import Bytes
public import Environment
import HashRing
import Log
import Raft
import Store
import Table
import Wire

/// The layout of a node's data directory. kv-architecture(7) describes it.
///
///     FORMAT          the directory's format, as text; written last when a directory is made
///     node            who the node is: NodeIdentity behind its checksum; and again as node.copy
///     catalog         the catalog's state: SnapshotTrailer behind its checksum; and again as catalog.copy
///     log/            the shared Raft log (kv-log(5))
///     partitions/N/   the store of partition N (kv-sstable(5))
///     RECOVERING      there while a recovery that was begun has not ended
///     MAKING          there while the directory of a cluster's first node is made
///     RESTORING       the same, where the cluster begins with a snapshot's records
///     JOINING         there while a join that was begun has not ended
///     reserve         zeros that give their room when the disk is full
///     identity/       keys and certificates, which `Server` keeps
public enum NodeDirectory {
  /// The newest format that this release reads and writes, of directories as of log commands and messages: what came
  /// with each is in kv-operations(7).
  public static let format: UInt32 = 4
  /// The format of the first release.
  static let oldestFormat: UInt32 = 1

  static func formatPath(_ directory: String) -> String { directory + "/FORMAT" }
  static func identity(_ directory: String, on disk: any Disk) -> PairedFile {
    PairedFile(directory + "/node", on: disk) { bytes in
      WireNodeIdentity(untrusted: bytes).map { $0.node > 0 && !$0.cluster.isEmpty && !$0.address.isEmpty } ?? false
    }
  }
  static func catalog(_ directory: String, of cluster: String, on disk: any Disk) -> PairedFile {
    PairedFile(directory + "/catalog", on: disk) { bytes in
      guard let trailer = WireSnapshotTrailer(untrusted: bytes), trailer.point != nil else { return false }
      guard let state = WireCatalogState(untrusted: trailer.state.array) else { return false }
      return !state.nodes.isEmpty && state.cluster == cluster
    }
  }
  static func logPath(_ directory: String) -> String { directory + "/log" }
  static func reservePath(_ directory: String) -> String { directory + "/reserve" }
  /// The mark by which a partition's store is known as one that was found wrong, in words; it is not opened.
  static func fenceMark(_ partition: String) -> String { partition + "/FENCED" }
  /// The mark of a recovery that was begun: the node doesn't start before it has ended.
  static func recoveryMark(_ directory: String) -> String { directory + "/RECOVERING" }
  /// The file with an administrator's certificate that the first node of a cluster gets.
  public static func clusterFilePath(_ directory: String) -> String { directory + "/cluster.kv" }
  static func partitionsPath(_ directory: String) -> String { directory + "/partitions" }

  /// What a directory is.
  public enum Kind: Equatable, Sendable {
    /// Not there, or without a node's files.
    case empty
    /// A node's.
    case node
    /// Something else's, or a node's of a format that this release does not know.
    case foreign(String)
  }

  /// Looks what a directory is.
  public static func kind(of directory: String, on disk: any Disk) throws(NodeError) -> Kind {
    guard disk.exists(directory) else { return .empty }
    do {
      guard disk.exists(formatPath(directory)) else {
        return try foreignName(in: directory, on: disk).map { .foreign(wordsWithoutFormat(holding: $0)) } ?? .empty
      }
      guard let found = try statedFormat(of: directory, on: disk) else {
        return .foreign(
          "its file FORMAT is not a node's: that is one line, '\(formatPrefix)' and a number, as the cluster's other "
            + "nodes have it; if this is a node's directory, take it from one of them")
      }
      guard found <= format else {
        return .foreign("it has format \(found), and this release knows formats up to \(format): use a newer kv")
      }
      return .node
    } catch {
      throw .disk(error)
    }
  }

  /// The format that a directory's FORMAT file names; nil where it is no node's.
  private static func statedFormat(of directory: String, on disk: any Disk) throws(DiskError) -> UInt32? {
    // What is longer is no format either.
    guard try disk.open(formatPath(directory), .read).size() <= 64 else { return nil }
    let text = String(decoding: try disk.contents(of: formatPath(directory), limit: 64), as: UTF8.self)
    let line = text.prefix { $0 != "\n" }
    return line.hasPrefix(formatPrefix) ? UInt32(line.dropFirst(formatPrefix.count)) : nil
  }

  /// Has a directory's FORMAT file name a format, unless it names a newer one.
  static func raiseFormat(of directory: String, to format: UInt32, on disk: any Disk) throws(DiskError) {
    guard try statedFormat(of: directory, on: disk) ?? 0 < format else { return }
    try writeFormat(format, to: directory, on: disk)
  }

  /// Writes the FORMAT file anew where it names none; says whether it had to.
  static func mendFormat(of directory: String, _ format: UInt32, on disk: any Disk) throws(DiskError) -> Bool {
    guard try statedFormat(of: directory, on: disk) == nil else { return false }
    try writeFormat(format, to: directory, on: disk)
    return true
  }

  private static func writeFormat(_ format: UInt32, to directory: String, on disk: any Disk) throws(DiskError) {
    try disk.replace(formatPath(directory), with: Array("\(formatPrefix)\(format)\n".utf8))
  }

  private static let formatPrefix = "kv node directory, format "
  /// Makes the directory of a node that has the given identity. With a catalog it is the first node of a new cluster
  /// and holds a replica of each of its partitions; without, it has joined and knows nothing yet.
  static func create(
    _ directory: String, on disk: any Disk, identity: WireNodeIdentity, catalog: WireCatalogState?,
    clusterFile: [UInt8]? = nil, seed: ClusterSeed? = nil, log: LogOptions
  ) throws(NodeError) {
    do {
      try disk.createDirectory(directory)
      try disk.createDirectory(logPath(directory))
      try disk.createDirectory(partitionsPath(directory))
      try disk.syncDirectory(directory)
      try disk.syncDirectory(parent(of: directory))
      // From the first moment on there is a log, so that one that is gone can be told from one that is new.
      var identity = identity
      identity.log = try SharedLog.open(disk: disk, directory: logPath(directory), options: log).0.identity
      try Self.identity(directory, on: disk).replace(with: identity.encoded)
      if let catalog { try bootstrap(directory, on: disk, identity: identity, catalog: catalog, seed: seed) }
      if let clusterFile { try disk.replace(clusterFilePath(directory), with: clusterFile) }
      // A member learns from the catalog what the cluster's is.
      try writeFormat(catalog?.format ?? oldestFormat, to: directory, on: disk)
    } catch let error as DiskError {
      throw .disk(error)
    } catch let error as StoreError {
      throw .store(error)
    } catch let error as LogError {
      throw .log(error)
    } catch let error as ClusterSeedError {
      throw .seed(words: error.words)
    } catch {
      throw .malformed(path: directory, words: "\(error)")
    }
  }

  private static func parent(of directory: String) -> String {
    let path = directory.count > 1 && directory.hasSuffix("/") ? String(directory.dropLast()) : directory
    guard let slash = path.lastIndex(of: "/") else { return "." }
    return slash == path.startIndex ? "/" : String(path[..<slash])
  }

  private static func bootstrap(
    _ directory: String, on disk: any Disk, identity: WireNodeIdentity, catalog: WireCatalogState, seed: ClusterSeed?
  ) throws {
    let replica = ReplicaID(node: NodeID(rawValue: identity.node), incarnation: 1)
    let point = SnapshotHeader(
      index: LogIndex(rawValue: 1), term: Term(rawValue: 1), membership: Membership(voters: [replica]))
    try Self.catalog(directory, of: identity.cluster, on: disk).replace(
      with: WireSnapshotTrailer(point, state: catalog.encoded, checksum: 0).encoded)
    if let seed {
      return try seed.fill(catalog.partitions, of: replica, at: point, under: partitionsPath(directory), on: disk)
    }
    let cache = BlockCache(byteBudget: 1 << 20)
    for partition in catalog.partitions {
      let state = PartitionState(
        replica: replica, arc: try Arc(validating: UInt64(partition.bits), prefix: partition.prefix),
        epoch: partition.epoch, lastVersion: .zero, sessions: [])
      let path = "\(partitionsPath(directory))/\(partition.group)"
      try PartitionStore.removeUnmade(disk: disk, directory: path)
      _ = try PartitionStore.create(
        disk: disk, directory: path, options: NodeOptions().store, cache: cache, state: state.storeState(at: point))
    }
  }
}
