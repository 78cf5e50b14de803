import Bytes
import HashRing
import Wire

// Partitions that are cut in half.
extension Catalog {
  /// Numbers what the split makes: from here on until it is confirmed the partition's replicas don't change.
  mutating func apply(_ intent: WireCatalogCommand.SplitIntent) throws(Refusal) {
    let place = try place(of: intent.group, at: intent.epoch)
    var partition = state.partitions[place]
    guard !partition.hasSplit else { throw .stale("partition \(intent.group) is being split") }
    guard partition.replicas.allSatisfy({ $0.state == .voter }) else {
      throw .stale("replicas of partition \(intent.group) are on the move")
    }
    guard state.partitions.count + state.partitions.count(where: \.hasSplit) < Limits.partitions else {
      throw .tooMany("the cluster has \(Limits.partitions) partitions")
    }
    guard partition.bits < UInt32(Arc.maximumBits) else { throw .forbidden("an arc of one position can't be split") }
    partition.split = .with {
      $0.child = state.nextGroup
      $0.replicas = partition.replicas.enumerated().map { place, replica in
        let node = ReplicaID(rawValue: replica.id).node
        return ReplicaID(node: node, incarnation: state.nextIncarnation + UInt32(place)).rawValue
      }
    }
    state.nextGroup += 1
    state.nextIncarnation += UInt32(partition.replicas.count)
    try replace(place, with: partition)
  }

  /// The split is in the partition's log and applied: the map names both halves.
  mutating func apply(_ confirmation: WireCatalogCommand.SplitConfirmation) throws(Refusal) {
    let place = try place(of: confirmation.group, at: confirmation.epoch)
    var lower = state.partitions[place]
    guard lower.hasSplit else { throw .stale("partition \(confirmation.group) is not being split") }
    let split = lower.split
    lower.clearSplit()
    lower.bits += 1
    lower.prefix <<= 1
    lower.epoch += 1
    lower.timesSplit += 1
    let upper = WireCatalogPartition.with {
      $0.group = split.child
      $0.bits = lower.bits
      $0.prefix = lower.prefix | 1
      $0.epoch = lower.epoch
      $0.parent = lower.group
      $0.timesSplit = lower.timesSplit
      $0.preferred = lower.preferred
      $0.replicas = split.replicas.map { id in .with { $0.id = id } }
    }
    var next = state
    next.partitions[place] = lower
    next.partitions.append(upper)
    next.epoch += 1
    do {
      map = try Catalog.map(of: next)
      state = next
    } catch {
      throw .malformed("\(error)")
    }
  }
}
