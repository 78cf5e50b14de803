import Bytes
import HashRing
import Wire

// Partitions that are cut in half: by whom it is begun where nobody asked, and how the catalog learns of its end.
extension PlacementDriver {
  /// The catalog's leader: the next partition to be cut because there are few for the nodes; one at a time.
  func nextSplit(_ catalog: Catalog) -> WireCatalogCommand? {
    let bits = SplitRule.leastBits(nodes: catalog.takers.count)
    // A node that was enrolled and has not run yet is none that could lead any; and no split is undone.
    guard maySplit(catalog), catalog.takers.allSatisfy(node.isHeard),
      !catalog.state.partitions.contains(where: \.hasSplit)
    else { return nil }
    let wide = catalog.state.partitions.filter { $0.bits < bits && $0.isAtRest }
    return wide.min { ($0.bits, $0.group) < ($1.bits, $1.group) }.map(beginSplit)
  }

  /// A partition's leader: asks for a split where the partition holds more than one should, and enough keys for both
  /// halves. While its tables hold another's keys nobody knows how much is its own.
  func splitIfLarge(_ partition: Partition) {
    let (group, size) = (partition.group, partition.store.size)
    guard !partition.isCut, partition.replica?.leads ?? false, let catalog = node.catalog.catalog, maySplit(catalog),
      size.bytes > node.storage.options.splitBytes.rawValue, size.records >= Limits.leastSplitRecords,
      let entry = catalog.partition(group), entry.isAtRest, reporting.insert(group).inserted
    else { return }
    node.host.log(.info, "partition \(group): holds \(size.bytes) bytes, and is to be split")
    node.proposeToCatalog(beginSplit(entry)) { [self] _ in
      // Refused or lost: asked again after the next flush.
      reporting.remove(group)
    }
  }

  /// Whether a partition may be split that nobody asked to split.
  private func maySplit(_ catalog: Catalog) -> Bool {
    node.storage.options.splitBytes.rawValue > 0 && catalog.state.partitions.count < Limits.partitions
  }

  private func beginSplit(_ entry: WireCatalogPartition) -> WireCatalogCommand {
    .with {
      $0.beginSplit = .with {
        $0.group = entry.group
        $0.epoch = entry.epoch
      }
    }
  }

  /// A partition's leader takes the next step of a split: into the partition's log, then, once it is applied there, to
  /// the catalog.
  func advanceSplit(_ entry: WireCatalogPartition, _ partition: Partition) {
    guard UInt32(partition.arc.bits) > entry.bits else { return partition.proposeSplit(entry) }
    let group = partition.group
    guard reporting.insert(group).inserted else { return }
    let command = WireCatalogCommand.with {
      $0.confirmSplit = .with {
        $0.group = entry.group
        $0.epoch = entry.epoch
      }
    }
    node.proposeToCatalog(command) { [self] _ in
      // Refused or lost: the next tick finds what is left to do.
      reporting.remove(group)
    }
  }
}

extension WireCatalogPartition {
  /// Whether no replica of it moves and it isn't being split.
  fileprivate var isAtRest: Bool { !hasSplit && replicas.allSatisfy { $0.state == .voter } }
}
