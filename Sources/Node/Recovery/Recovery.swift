public import Bytes
public import Environment
import HashRing
import Log
import Raft
import Wire

/// What became of a cluster of which only one node's directory is left, and how that node goes on alone.
///
/// Nothing is taken away: to the log of each group entries are added that make the node's replica the only member, as if
/// they had been committed, and to the catalog's one that strikes the other nodes out.
public struct Recovery {
  /// A group as the directory has it.
  public struct Group: Sendable {
    /// The group; 0 is the catalog.
    public let group: GroupID
    /// The replica in the directory; nil where there is none.
    public let replica: ReplicaID?
    /// The last entry of its log, its term, and how far it knew the log to be committed.
    public let last: LogIndex
    public let term: Term
    public let commit: LogIndex
    /// The nodes that have a replica by the last membership in its log.
    public let members: [NodeID]
    /// Why the replica can't go on; nil where it can.
    public let obstacle: String?
    /// Whether the replica is the only member already.
    public let isAlone: Bool
  }

  /// The node whose directory it is.
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

  /// Whether there is nothing left to do.
  public var isDone: Bool { lost.isEmpty && groups.allSatisfy(\.isAlone) }
  /// What stands in the way.
  public var obstacles: [String] { groups.compactMap(\.obstacle) }

  /// Reads a stopped node's directory. `time` is for the record, in milliseconds since 1970.
  public init(_ directory: String, on disk: any Disk, time: UInt64) throws(NodeError) {
    opened = try OpenedDirectory.open(directory, on: disk, cacheBytes: 1 << 20)
    node = opened.identity.nodeID
    cluster = opened.identity.cluster
    guard let (saved, point) = opened.catalog else {
      throw .malformed(path: directory, words: "it holds no catalog: this node never heard from its cluster")
    }
    let catalog = Recovery.replayed(saved, opened.recovered[.catalog], after: point)
    earlier = catalog.state.recoveries
    let own = opened.identity.nodeID
    lost = catalog.nodes.filter { $0.id != own.rawValue }.map { (NodeID(rawValue: $0.id), $0.address) }
    var groups: [Group] = []
    var writes: [LogWrite] = []
    let catalogReplica = ReplicaID(node: own, incarnation: max(1, opened.identity.stored.catalogIncarnation))
    Recovery.add(.catalog, catalogReplica, point, opened, to: &groups, &writes)
    for entry in catalog.map.partitions {
      let store = opened.stores.first { $0.group == entry.group }?.store
      switch store {
      case .success(let store)?:
        do {
          let (state, point) = try PartitionState.read(store.flushedState)
          Recovery.add(entry.group, state.replica, point, opened, to: &groups, &writes)
        } catch {
          groups.append(Recovery.missing(entry.group, "its manifest holds no partition's state: \(error)"))
        }
      case .failure(let error)?: groups.append(Recovery.missing(entry.group, "\(error)"))
      case nil: groups.append(Recovery.missing(entry.group, "this node has no replica of it"))
      }
    }
    self.groups = groups
    self.writes = Recovery.withRecord(writes, lost: lost.map(\.id), node: own, time: time)
  }

  /// Makes the node's replicas the only members of their groups, and strikes the other nodes out: in one write, durable
  /// on return.
  public func apply() throws(NodeError) {
    do throws(LogError) {
      try opened.storage.log.append(writes, sync: true)
    } catch {
      throw .log(error)
    }
  }
}
