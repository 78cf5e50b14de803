import Bytes
import Raft
import Store
import Wire

extension Recovery {
  /// What the directories have of a partition, and what of that the cluster goes on with.
  struct Choice {
    private(set) var candidates: [Candidate]
    private(set) var best: Candidate
    /// Whether it began anew, empty, in a recovery that has ended.
    let isDone: Bool

    /// - Parameters:
    ///   - sources: the directories, the node's own first.
    ///   - wasEmptied: whether the catalog knows of a recovery in which the partition began anew.
    ///   - mayBegin: whether it may begin anew now: then what such an attempt has left, which was cut off, is nothing.
    init(
      of partition: WireCatalogPartition, in sources: [OpenedDirectory], wasEmptied: Bool, mayBegin: Bool,
      acceptsLoss: Bool, readsTables: Bool
    ) {
      let group = GroupID(rawValue: partition.group)
      let own = sources[0].identity.nodeID
      candidates = sources.map { source in
        let candidate = Candidate.partition(group, in: source, acceptsLoss: acceptsLoss)
        guard source.identity.nodeID != own, candidate.obstacle == nil, partition.hasSplit || candidate.hasOpenSplit
        else { return candidate }
        return candidate.refused("it is being split, which only the nodes of its replicas can carry out")
      }
      best = Candidate.best(of: candidates)
      isDone = wasEmptied && best.isAlone(on: own)
      if mayBegin, !isDone {
        candidates = candidates.map { $0.isUnfinished ? $0.absent : $0 }
        best = Candidate.best(of: candidates)
      }
      if readsTables { avoidDamage(own, acceptsLoss: acceptsLoss) }
    }

    /// Reads the tables of what was chosen, and chooses another where they are damaged. What is alone already was chosen
    /// before.
    private mutating func avoidDamage(_ own: NodeID, acceptsLoss: Bool) {
      while best.obstacle == nil, best.loss == nil, !best.isAlone(on: own), let words = best.tableDamage {
        let chosen = best.opened.identity.nodeID
        candidates = candidates.map { candidate in
          candidate.opened.identity.nodeID == chosen ? candidate.damaged(words, acceptsLoss: acceptsLoss) : candidate
        }
        best = Candidate.best(of: candidates)
      }
    }
  }
}

extension Recovery.Candidate {
  /// Whether its replica is the only member already, and a node's.
  fileprivate func isAlone(on node: NodeID) -> Bool {
    opened.identity.nodeID == node && replica.map(hasAlone) ?? false
  }

  /// Whether it is empty, and of a recovery that was interrupted.
  fileprivate var isUnfinished: Bool {
    opened.storage.isBeingRecovered && entries.isEmpty && point.index.rawValue == 1 && content?.store.size.bytes == 0
  }

  /// What is damaged in its tables, in words; nil where all of them are sound. Reads them to the last byte.
  fileprivate var tableDamage: String? {
    guard let damage = content?.store.readFiles(), let first = damage.first else { return nil }
    let others = damage.count == 1 ? "" : ", and \(damage.count - 1) places more"
    return "\(first.path), offset \(first.offset): \(first.words)\(others)"
  }

  /// Why it can't be used, and whose it is; nil where it can.
  var unusableWords: String? { obstacle.map { "node \(opened.identity.nodeID): \($0)" } }

  /// The store and its state, where it is a partition's.
  var content: (store: PartitionStore, state: PartitionState)? {
    guard case .success(let store)? = opened.stores.first(where: { $0.group == group })?.store,
      let (state, _) = try? PartitionState.read(store.flushedState)
    else { return nil }
    return (store, state)
  }
}
