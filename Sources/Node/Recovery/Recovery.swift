public import Bytes
public import Environment
import HashRing
import Log
import Raft
import Store
import Wire

/// What became of a cluster of which only some nodes' directories are left, and how one of those nodes goes on alone.
///
/// Nothing is taken away: to the log of each group entries are added that make the node's replica the only member, as if
/// they had been committed, and to the catalog's one that strikes the other nodes out. Where another directory has more
/// of a group, the node gets a new replica, made of that one's files and log.
public struct Recovery {
  /// A group as the directories have it.
  public struct Group: Sendable {
    /// The group; 0 is the catalog.
    public let group: GroupID
    /// The node in whose directory the log goes furthest: that with which the cluster goes on.
    public let source: NodeID
    /// The last entry of its log, its term, and how far it knew the log to be committed.
    public let last: LogIndex
    public let term: Term
    public let commit: LogIndex
    /// The nodes that have a replica by the last membership in its log.
    public let members: [NodeID]
    /// Why nothing can go on with it; nil where something can.
    public let obstacle: String?
    /// What other directories have of it and can't be used, in words: more may have been in it.
    public let unusable: [String]
    /// Whether the replica is the only member already.
    public let isAlone: Bool
    /// Whether nothing is left of it, and it is to begin anew, empty.
    public let isEmptied: Bool
    /// What its log has lost, where it is to go on with the rest; nil where nothing is.
    public let loss: String?
  }

  /// The node that goes on.
  public let node: NodeID
  /// The cluster.
  public let cluster: String
  /// The catalog first, then every partition of the catalog's map.
  public let groups: [Group]
  /// The other nodes, which are to be struck out, with their addresses.
  public let lost: [(id: NodeID, address: String)]
  /// The recoveries that the catalog knows of.
  public let earlier: [WireRecovery]
  private let opened: OpenedDirectory
  private let writes: [LogWrite]
  /// The catalog's state in another directory, if that has more.
  private let catalog: (state: Catalog, point: SnapshotHeader)?
  private let adoptions: [Adoption]

  /// A store of which the node makes a replica of its own.
  private struct Adoption {
    let group: GroupID
    /// In another directory; nil where nothing is left, and the replica begins empty.
    let store: PartitionStore?
    let state: StoreState
  }

  /// Whether there is nothing left to do.
  public var isDone: Bool {
    lost.isEmpty && adoptions.isEmpty && groups.allSatisfy(\.isAlone) && !opened.storage.isBeingRecovered
  }
  /// What stands in the way.
  public var obstacles: [String] { groups.compactMap(\.obstacle) }

  /// Reads a stopped node's directory, and those of others from which is to be taken what this one has not, or less of.
  /// - Parameters:
  ///   - without: the partitions that begin anew, empty, since nothing is left of them.
  ///   - acceptsLoss: whether it goes on with what is left where a log has lost something, or tables are damaged.
  ///   - readsTables: whether the tables of what it goes on with are read, to the last byte.
  ///   - time: for the record, in milliseconds since 1970.
  public init(
    _ directory: String, others: [String] = [], without: Set<GroupID> = [], acceptsLoss: Bool = false,
    readsTables: Bool = true, on disk: any Disk, time: UInt64
  ) throws(NodeError) {
    opened = try OpenedDirectory.open(directory, on: disk, cacheBytes: 1 << 20, isForRecovery: true)
    let own = opened.identity.nodeID
    let sources = try [opened] + Recovery.open(others, beside: opened, on: disk)
    let catalogs = sources.compactMap { Candidate.catalog(in: $0, acceptsLoss: acceptsLoss) }
    guard !catalogs.isEmpty, let saved = Candidate.best(of: catalogs).opened.catalog else {
      let damage = sources.compactMap(\.catalogDamage)
      guard !damage.isEmpty else {
        throw .malformed(
          path: directory, words: "it holds no catalog: this node never heard from its cluster, or lost it")
      }
      throw .malformed(
        path: directory,
        words:
          "no catalog is left to go on with: \(damage.joined(separator: "; ")); give other nodes' directories by --from, "
          + "or begin a new cluster with a snapshot's file (kv serve --from)")
    }
    let best = Candidate.best(of: catalogs)
    let catalog = Recovery.replayed(saved.state, best)
    guard catalog.node(own) != nil else {
      throw .foreign(
        path: directory,
        words: "node \(own) is a member no more, says the directory of node \(best.opened.identity.nodeID), which goes "
          + "further: recover that one")
    }
    let isOwnCatalog = best.opened.identity.nodeID == own
    self.catalog = isOwnCatalog ? nil : saved
    var plan = Plan(node: own, sources: sources, nextIncarnation: catalog.state.nextIncarnation)
    let catalogReplica = ReplicaID(node: own, incarnation: max(1, opened.identity.stored.catalogIncarnation))
    plan.add(best, of: catalogs, as: catalogReplica)
    var adoptions: [Adoption] = []
    // By a recovery that was cut off here, whether it is asked for again or not.
    let begun = opened.storage.emptiedByRecovery
    for partition in catalog.state.partitions {
      let group = GroupID(rawValue: partition.group)
      let wasEmptied = catalog.state.recoveries.contains { $0.emptied.contains(partition.group) }
      let choice = Choice(
        of: partition, in: sources, wasEmptied: wasEmptied, mayBegin: without.contains(group) || begun.contains(group),
        acceptsLoss: acceptsLoss, readsTables: readsTables)
      let (candidates, best) = (choice.candidates, choice.best)
      if !choice.isDone, without.contains(group) || begun.contains(group) && best.obstacle != nil {
        if let state = plan.empty(best, of: candidates, partition, catalog.state, above: Recovery.horizon(at: time)) {
          adoptions.append(Adoption(group: group, store: nil, state: state))
        }
        continue
      }
      let isListed = best.replica.map { replica in partition.replicas.contains { $0.id == replica.rawValue } } ?? false
      if best.obstacle == nil, best.opened.identity.nodeID != own, let (store, state) = best.content {
        let replica = plan.newReplica(of: group)
        plan.add(best, of: candidates, as: replica)
        var adopted = state
        adopted.replica = replica
        adopted.origin = nil
        adoptions.append(Adoption(group: group, store: store, state: adopted.storeState(at: best.point)))
      } else {
        plan.add(best, of: candidates, as: best.replica, isNew: best.obstacle == nil && !isListed)
      }
    }
    node = own
    cluster = opened.identity.cluster
    earlier = catalog.state.recoveries
    lost = catalog.nodes.filter { $0.id != own.rawValue }.map { (NodeID(rawValue: $0.id), $0.address) }
    groups = plan.groups
    self.adoptions = adoptions
    plan.rememberAll(with: best, catalogReplica)
    let record = WireRecovery.with {
      $0.timeMs = time
      $0.survivor = own.rawValue
      $0.lost = catalog.nodes.map(\.id).filter { $0 != own.rawValue }
      $0.adopted = plan.adopted
      $0.emptied = plan.groups.filter(\.isEmptied).map(\.group.rawValue)
      $0.lossy = plan.groups.filter { $0.loss != nil }.map(\.group.rawValue)
    }
    writes = Recovery.withRecord(plan.writes, record)
  }

  private static func open(
    _ directories: [String], beside own: OpenedDirectory, on disk: any Disk
  ) throws(NodeError) -> [OpenedDirectory] {
    var nodes = [own.identity.nodeID]
    var sources: [OpenedDirectory] = []
    for directory in directories {
      let other = try OpenedDirectory.open(directory, on: disk, cacheBytes: 1 << 20, isForRecovery: true)
      guard other.identity.cluster == own.identity.cluster else {
        throw .foreign(
          path: directory, words: "it is of cluster \(other.identity.cluster), not \(own.identity.cluster)")
      }
      guard !nodes.contains(other.identity.nodeID) else {
        throw .foreign(path: directory, words: "it is of node \(other.identity.nodeID), as another one that was given")
      }
      nodes.append(other.identity.nodeID)
      sources.append(other)
    }
    return sources
  }

  /// Makes the node's replicas the only members of their groups, and strikes the other nodes out: durable on return. What
  /// other directories have is brought into this one first; all else is one write of the log. Until that is done the node
  /// serves nothing, and doing it again begins anew.
  public func apply() throws(NodeError) {
    let storage = opened.storage
    let emptied = adoptions.filter { $0.store == nil }.map(\.group)
    if let error = storage.beginRecovery(emptying: emptied) { throw .disk(error) }
    for adoption in adoptions {
      if let error = storage.setAside(adoption.group) { throw .disk(error) }
      let directory = storage.partitionDirectory(adoption.group)
      do throws(StoreError) {
        if let store = adoption.store {
          try store.linkJob(to: directory, state: adoption.state)?.run()
        } else {
          let writer = try SnapshotWriter(disk: storage.disk, directory: directory, options: storage.options.store)
          // Whatever was written is lost: a read of the past is refused, not told that there was nothing.
          try writer.finish(state: adoption.state, retention: Retention(floor: adoption.state.lastVersion))
        }
      } catch {
        throw .store(error)
      }
    }
    if let (state, point) = catalog {
      let captured = CapturedState(point: point, state: state.state.encoded, nextChunk: nil)
      if let error = storage.saveCatalog(captured) { throw .disk(error) }
    }
    do throws(LogError) {
      try storage.log.append(writes, sync: true)
    } catch {
      throw .log(error)
    }
    if let error = storage.noteLogEnd(storage.log.durableEnd) { throw error }
    if let error = storage.endRecovery() { throw .disk(error) }
  }
}

extension Recovery {
  /// What is to be written, group by group.
  private struct Plan {
    let node: NodeID
    let sources: [OpenedDirectory]
    var nextIncarnation: UInt32
    var groups: [Group] = []
    var writes: [LogWrite] = []
    /// The replicas that the catalog does not know.
    var adopted: [WireRecovery.Adoption] = []

    mutating func newReplica(of group: GroupID) -> ReplicaID {
      defer { nextIncarnation += 1 }
      let replica = ReplicaID(node: node, incarnation: nextIncarnation)
      note(group, replica)
      return replica
    }

    /// Begins a partition anew of which nothing can be used, and returns the state with which; nil where something can, or
    /// it is being split.
    mutating func empty(
      _ best: Candidate, of all: [Candidate], _ partition: WireCatalogPartition, _ catalog: WireCatalogState,
      above horizon: Version
    ) -> StoreState? {
      let name = Recovery.name(best.group)
      let replica = newReplica(of: best.group)
      let start = Recovery.emptyStart(replica)
      let state = Recovery.emptyState(
        partition, replica, lastVersion: max(horizon, Version(rawValue: catalog.ceiling)))
      var obstacle: String?
      if best.obstacle == nil {
        obstacle = "\(name): node \(best.opened.identity.nodeID)'s directory has it: it needn't begin anew"
      } else if partition.hasSplit {
        obstacle = "\(name): it is being split, and can't begin anew"
      } else if state == nil {
        obstacle = "\(name): the catalog gives it no range of keys, and it can't begin anew"
      }
      groups.append(
        Group(
          group: best.group, source: node, last: start.index, term: start.term, commit: start.index, members: [],
          obstacle: obstacle, unusable: all.filter { !$0.isAbsent }.compactMap(\.unusableWords), isAlone: false,
          isEmptied: obstacle == nil, loss: nil))
      guard obstacle == nil else { return nil }
      let terms = sources.compactMap { $0.recovered[best.group]?.hardState.term }
      var write = LogWrite(group: best.group)
      write.reset = LogPoint(index: start.index, term: start.term)
      write.hardState = StoredHardState(
        term: Term(rawValue: max(start.term, terms.max() ?? .zero).rawValue + 1), commit: start.index)
      writes.append(write)
      return state
    }

    private mutating func note(_ group: GroupID, _ replica: ReplicaID) {
      adopted.append(
        .with {
          $0.group = group.rawValue
          $0.replica = replica.rawValue
        })
    }

    /// Goes on with what a directory has of a group, as that replica; the node's own where it has one.
    mutating func add(_ candidate: Candidate, of all: [Candidate], as replica: ReplicaID?, isNew: Bool = false) {
      let isAlone = candidate.loss == nil && replica.map(candidate.hasAlone) ?? false
      groups.append(
        Group(
          group: candidate.group, source: candidate.opened.identity.nodeID, last: candidate.last.index,
          term: candidate.last.term, commit: candidate.commit, members: candidate.membership.members.map(\.node),
          obstacle: candidate.obstacle,
          unusable: all.filter { $0.opened.identity.nodeID != candidate.opened.identity.nodeID && !$0.isAbsent }
            .compactMap(\.unusableWords), isAlone: isAlone, isEmptied: false, loss: candidate.loss))
      guard candidate.obstacle == nil, !isAlone, let replica else { return }
      if isNew { note(candidate.group, replica) }
      write(candidate, replica)
    }

    private mutating func write(_ candidate: Candidate, _ replica: ReplicaID) {
      // Whatever any of them has promised in, this term is above.
      let terms = sources.compactMap { $0.recovered[candidate.group]?.hardState.term }
      writes.append(candidate.write(for: replica, above: terms.max() ?? .zero))
    }

    /// Sees to it that the catalog is written to where it is to know of something, though it is alone already.
    mutating func rememberAll(with catalog: Candidate, _ replica: ReplicaID) {
      guard !adopted.isEmpty || groups.contains(where: { $0.loss != nil }), catalog.obstacle == nil,
        !writes.contains(where: { $0.group == .catalog })
      else { return }
      write(catalog, replica)
    }
  }
}

// A partition of which nothing is left.
extension Recovery {
  /// Above every version that was given out before a recovery at a time in milliseconds since 1970, as far as the clocks
  /// of the lost nodes agreed with that of this one: no oracle gives out what is further ahead of its clock.
  static func horizon(at time: UInt64) -> Version {
    Version(milliseconds: min(time, 1 << 45) + Oracle.ceilingLeadMilliseconds)
  }

  /// Where the log of its only replica begins.
  private static func emptyStart(_ replica: ReplicaID) -> SnapshotHeader {
    SnapshotHeader(
      index: LogIndex(rawValue: 1), term: Term(rawValue: 1), membership: Membership(voters: [replica]))
  }

  /// The state with which it begins: no version that was ever given out is above its last. Nil where the catalog gives it
  /// no arc.
  private static func emptyState(
    _ partition: WireCatalogPartition, _ replica: ReplicaID, lastVersion: Version
  ) -> StoreState? {
    guard let arc = try? Arc(validating: UInt64(partition.bits), prefix: partition.prefix) else { return nil }
    let state = PartitionState(
      replica: replica, arc: arc, epoch: partition.epoch, lastVersion: lastVersion, sessions: [])
    return state.storeState(at: emptyStart(replica))
  }
}
