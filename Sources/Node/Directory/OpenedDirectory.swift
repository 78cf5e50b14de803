public import Bytes
public import Environment
import HashRing
import Log
import Raft
import Store
public import Wire

/// A node's directory, read and checked, before the node runs.
public struct OpenedDirectory {
  /// Who the node is.
  public let identity: NodeIdentity
  let storage: NodeStorage
  let catalog: (state: Catalog, point: SnapshotHeader)?
  private let found: Found
  /// What of the log could not be read.
  let damage: [LogDamage]
  /// What says that the log is not the newest that the directory had; nil where nothing does.
  private let rollback: String?
  /// What is wrong with the catalog's file; nil where nothing is, or there is none.
  let catalogDamage: String?
  /// What the log has of each group.
  var recovered: [GroupID: RecoveredGroup] { found.recovered }
  /// The stores by group; the reason instead, where one can't be read.
  var stores: [(group: GroupID, store: Result<PartitionStore, StoreError>)] { found.stores }
  /// The members, as far as the files know them.
  public var members: [WireMember] { catalog?.state.members ?? identity.stored.members }

  /// What the node's replicas begin with: large, and with files that are open.
  private final class Found {
    var recovered: [GroupID: RecoveredGroup]
    var stores: [(group: GroupID, store: Result<PartitionStore, StoreError>)]

    init(
      recovered: [GroupID: RecoveredGroup], stores: [(group: GroupID, store: Result<PartitionStore, StoreError>)]
    ) {
      self.recovered = recovered
      self.stores = stores
    }
  }

  /// The replicas have taken over what was found: whoever keeps the opened directory, as a process does, must hold
  /// neither entries that the log has let go of nor the files of stores that others took the place of.
  func letGo() {
    found.recovered.removeAll()
    found.stores.removeAll()
  }

  /// Reads a node's directory: identity, log, catalog, stores. Nothing is written but what a crash left unfinished, or an
  /// older release unnoted.
  /// `reserveBytes` is what the node keeps aside for when the disk is full; `lock` is what tells of another directory in
  /// the place of this one. A directory in which a recovery was begun and did not end is opened for that alone.
  public static func open(
    _ directory: String, on disk: any Disk, cacheBytes: Int, reserveBytes: ByteCount = Limits.diskReserve,
    options: NodeOptions = NodeOptions(), lock: DirectoryLock? = nil, isForRecovery: Bool = false
  ) throws(NodeError) -> OpenedDirectory {
    guard isForRecovery || !disk.exists(NodeDirectory.recoveryMark(directory)) else {
      throw .foreign(
        path: directory,
        words: "kv recover apply was begun here and did not end: do it again, with the same directories")
    }
    switch try NodeDirectory.kind(of: directory, on: disk) {
    case .node: break
    case .empty: throw .foreign(path: directory, words: "there is no node here")
    case .foreign(let words): throw .foreign(path: directory, words: words)
    }
    let isFull = NodeStorage.releaseReserveIfFull(directory, of: reserveBytes, on: disk)
    let identity = try NodeIdentity.read(from: directory, on: disk)
    try identity.checkMember(of: directory)
    var catalogDamage: String?
    let catalog: (state: Catalog, point: SnapshotHeader)?
    do throws(NodeError) {
      catalog = try readCatalog(directory, of: identity.cluster, on: disk)
    } catch {
      guard isForRecovery, case .damagedCatalogFile(let words) = error else { throw error }
      (catalog, catalogDamage) = (nil, words)
    }
    let (log, recovered, damage) = try openLog(of: identity, directory, on: disk, options: options.log)
    if !identity.stored.hasLog, !isForRecovery {
      var noted = identity.stored
      noted.log = log.identity
      // A full disk doesn't keep the node from starting.
      try? NodeIdentity.write(noted, to: directory, on: disk)
    }
    let storage = NodeStorage(
      disk: disk, directory: directory, cluster: identity.cluster, lock: lock, log: log, cacheBytes: cacheBytes,
      reserveBytes: reserveBytes, startsFull: isFull, options: options)
    return OpenedDirectory(
      identity: identity, storage: storage, catalog: catalog,
      found: Found(recovered: recovered, stores: try openStores(storage, identity, catalog?.state.map)), damage: damage,
      rollback: identity.rollback(to: log), catalogDamage: catalogDamage)
  }

  /// The partitions of which the log holds a replica's records, and the directory nothing.
  var lostStores: [GroupID] {
    recovered.keys.filter { group in group != .catalog && !stores.contains { $0.group == group } }.sorted()
  }

  /// Why a group's replica, whose state in files ends at a point, must be fenced: what the log lost of it, or may have;
  /// nil where the two hold everything that the replica ever promised.
  func loss(of group: GroupID, after point: SnapshotHeader?) -> String? {
    if let rollback { return rollback }
    // A state that knows no members yet is a new replica's, and the log one of its forerunner's.
    if let compacted = recovered[group]?.compactedThrough, compacted > point?.index ?? .zero,
      point?.membership.voters.isEmpty != true
    {
      let state = point.map { "its state ends at entry \($0.index)" } ?? "its state is gone"
      return "\(state), and its log begins after \(compacted)"
    }
    let affecting = damage.filter { damage in
      damage.affected.contains { $0.group == group } || damage.mayHideGroups && recovered[group] == nil
    }
    let isSound = recovered[group].map { $0.health == .intact } ?? affecting.isEmpty
    return isSound ? nil : affecting.first?.description ?? "records of it are missing in the log"
  }

  private static func openLog(
    of identity: NodeIdentity, _ directory: String, on disk: any Disk, options: LogOptions
  ) throws(NodeError) -> (SharedLog, [GroupID: RecoveredGroup], [LogDamage]) {
    let path = NodeDirectory.logPath(directory)
    do {
      // A node that forgot its votes and entries must not take part under its old name (DESIGN §5).
      guard disk.exists(path), try !disk.list(path).isEmpty else {
        throw NodeError.malformed(
          path: path,
          words: "the log is gone, and with it votes and entries that others count on; join as a new node instead")
      }
      var options = options
      // What is left of a log without any header is still this node's.
      if identity.stored.hasLog { options.identity = identity.stored.log }
      let (log, recovered) = try SharedLog.open(disk: disk, directory: path, options: options)
      try identity.check(log, in: directory)
      return (log, Dictionary(recovered.groups) { first, _ in first }, recovered.damage)
    } catch let error as NodeError {
      throw error
    } catch let error as LogError {
      throw .log(error)
    } catch {
      throw .malformed(path: directory, words: "\(error)")
    }
  }

  private static func readCatalog(
    _ directory: String, of cluster: String, on disk: any Disk
  ) throws(NodeError) -> (Catalog, SnapshotHeader)? {
    let file = NodeDirectory.catalog(directory, of: cluster, on: disk)
    switch try onDisk({ () throws(DiskError) in try file.read() }) {
    case .missing: return nil
    case .damaged:
      throw .damagedCatalogFile("\(file.path) and its copy don't fit their checksums, or are another cluster's")
    case .found(let bytes):
      guard let trailer = WireSnapshotTrailer(untrusted: bytes), let point = trailer.point,
        let state = WireCatalogState(untrusted: trailer.state.array)
      else { throw .damagedCatalogFile("\(file.path) holds no catalog") }
      do {
        return (try Catalog(state), point)
      } catch {
        throw .damagedCatalogFile("\(file.path): \(error)")
      }
    }
  }

  private static func openStores(
    _ storage: NodeStorage, _ identity: NodeIdentity, _ map: PartitionMap?
  ) throws(NodeError) -> [(group: GroupID, store: Result<PartitionStore, StoreError>)] {
    let parent = NodeDirectory.partitionsPath(storage.directory)
    var stores: [(group: GroupID, store: Result<PartitionStore, StoreError>)] = []
    do throws(DiskError) {
      // Whatever was in it is found missing, replica by replica.
      if !storage.disk.exists(parent) { try storage.disk.createDirectory(parent) }
      for name in try storage.disk.list(parent) {
        guard let number = UInt32(name), number > 0, "\(number)" == name else { continue }
        // A directory without CURRENT is what is left of a replica that was being made or removed.
        guard try storage.disk.list("\(parent)/\(name)").contains("CURRENT") else { continue }
        let group = GroupID(rawValue: number)
        stores.append((group, Result { () throws(StoreError) in try open(group, storage, map) }))
      }
    } catch {
      throw .disk(error)
    }
    for case (_, .failure(let error)) in stores {
      if case .corrupt = error { continue }
      if case .io(let cause) = error, cause.isNoFile { continue }
      throw .store(error)
    }
    for case (let group, .success(let store)) in stores {
      try identity.check(store, in: storage.partitionDirectory(group))
    }
    return try withoutUnborn(stores.sorted { $0.group < $1.group })
  }

  /// Removes stores that were made for a split which the parent's own files don't know of: no replica has ever begun
  /// there, and the split is carried out again from the log.
  private static func withoutUnborn(
    _ stores: [(group: GroupID, store: Result<PartitionStore, StoreError>)]
  ) throws(NodeError) -> [(group: GroupID, store: Result<PartitionStore, StoreError>)] {
    var states: [GroupID: PartitionState] = [:]
    var applied: [GroupID: LogIndex] = [:]
    for case (let group, .success(let store)) in stores {
      guard let (state, point) = try? PartitionState.read(store.flushedState) else { continue }
      (states[group], applied[group]) = (state, point.index)
    }
    var kept: [(group: GroupID, store: Result<PartitionStore, StoreError>)] = []
    for (group, result) in stores {
      guard case .success(let store) = result, let origin = states[group]?.origin, let parent = states[origin.group],
        let reached = applied[origin.group], parent.replica == origin.replica, reached < origin.index
      else {
        kept.append((group, result))
        continue
      }
      do throws(StoreError) { try store.destroy() } catch { throw .store(error) }
    }
    return kept
  }
}

extension OpenedDirectory {
  /// Opens a store, unless it was found wrong and marked, or is another partition's.
  private static func open(
    _ group: GroupID, _ storage: NodeStorage, _ map: PartitionMap?
  ) throws(StoreError) -> PartitionStore {
    let mark = NodeDirectory.fenceMark(storage.partitionDirectory(group))
    guard !storage.disk.exists(mark) else {
      let words = (try? storage.disk.contents(of: mark, limit: 4096)) ?? []
      throw .corrupt(
        path: mark, offset: 0, expected: "a replica that was not found wrong",
        found: String(decoding: words.prefix { $0 != UInt8(ascii: "\n") }, as: UTF8.self))
    }
    let store = try storage.openStore(group)
    guard let map, let other = strayed(store, from: group, map) else { return store }
    throw .corrupt(
      path: storage.partitionDirectory(group), offset: 0, expected: "the files of partition \(group)",
      found: "those of partition \(other)")
  }

  /// The partition whose files lie in the directory of another one, as where two were taken for each other. Its arc is
  /// cut by splits and never moves: what the catalog knows of it lies within what its files say, or they within that.
  private static func strayed(_ store: PartitionStore, from group: GroupID, _ map: PartitionMap) -> GroupID? {
    guard let arc = try? PartitionState.read(store.flushedState).0.arc,
      let own = map.partitions.first(where: { $0.group == group }), !own.arc.overlaps(arc)
    else { return nil }
    return map.partitions.first { $0.arc.overlaps(arc) }?.group
  }
}

/// Gives the errors of a disk the form of this target.
private func onDisk<Result>(_ body: () throws(DiskError) -> Result) throws(NodeError) -> Result {
  do throws(DiskError) { return try body() } catch { throw .disk(error) }
}

/// Who a node is: what its directory says beside its certificate.
public struct NodeIdentity: Sendable {
  /// As it is stored.
  public let stored: WireNodeIdentity
  /// The node's number.
  public var nodeID: NodeID { NodeID(rawValue: stored.node) }
  /// The cluster's name.
  public var cluster: String { stored.cluster }

  /// Throws `NodeError.departed` where the node is a member no more.
  public func checkMember(of directory: String) throws(NodeError) {
    guard stored.departed == .stays else {
      throw .departed(path: directory, node: nodeID, cluster: cluster, stored.departed)
    }
  }

  /// Refuses the log of another directory, in which others made their promises. An older release noted no log.
  func check(_ log: SharedLog, in directory: String) throws(NodeError) {
    guard !stored.hasLog || stored.log == log.identity else {
      throw .foreign(
        path: NodeDirectory.logPath(directory),
        words: "this is not the log of node \(nodeID), but of another directory: put its own back; where that is lost, "
          + "have the other nodes go on without this one (kv leave --lost), and let it join with an empty directory")
    }
  }

  /// What says that a log is not the newest that the directory had.
  func rollback(to log: SharedLog) -> String? {
    guard stored.logEnd > log.durableEnd else { return nil }
    return "its log ends before what was durable there: it is an older copy, or its end is lost"
  }

  /// Refuses the store of another node's replica: this node would forget what its own has promised.
  func check(_ store: PartitionStore, in directory: String) throws(NodeError) {
    guard let replica = try? PartitionState.read(store.flushedState).0.replica, replica.node != nodeID else { return }
    throw .foreign(
      path: directory,
      words: "these are files of node \(replica.node), and this is node \(nodeID): put its own back; where they are "
        + "lost, remove this directory, and the replica is made anew from the others")
  }

  /// Reads the identity from a node's directory.
  public static func read(from directory: String, on disk: any Disk) throws(NodeError) -> NodeIdentity {
    let file = NodeDirectory.identity(directory, on: disk)
    let advice = "and with it which node this is: put it back, or let another node join"
    switch try onDisk({ () throws(DiskError) in try file.read() }) {
    case .missing: throw .malformed(path: file.path, words: "it is gone, as is its copy, \(advice)")
    case .damaged:
      throw .malformed(path: file.path, words: "it and its copy don't fit their checksums: lost, \(advice)")
    case .found(let bytes):
      guard let stored = WireNodeIdentity(untrusted: bytes), stored.node > 0 else {
        throw .malformed(path: file.path, words: "it names no node")
      }
      return NodeIdentity(stored: stored)
    }
  }

  /// Replaces the identity in a node's directory.
  public static func write(_ identity: WireNodeIdentity, to directory: String, on disk: any Disk) throws(NodeError) {
    try onDisk { () throws(DiskError) in
      try NodeDirectory.identity(directory, on: disk).replace(with: identity.encoded)
    }
  }
}
