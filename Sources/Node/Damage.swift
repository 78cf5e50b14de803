import Bytes
import Log
import Store
import Wire

/// The stored bytes that this node found unreadable, for `kv status`.
struct Damage {
  /// Each finding once, in words: of the log at the start, of tables as reads meet it.
  private(set) var found: [String] = []
  /// How many of them are in tables.
  private(set) var inTables = 0
  /// Replicas that the catalog knows as damaged, and all files of which were found sound since: compactions have replaced
  /// what was damaged.
  private(set) var sound: Set<ReplicaID> = []

  /// Nothing, or what the log was found to have lost when it was opened.
  init(inLog damage: [LogDamage] = []) {
    found = damage.prefix(Limits.damageListed).map(\.description)
  }

  /// Notes what a read met.
  mutating func note(_ error: StoreError) {
    if case .corrupt = error { note("\(error)") }
  }

  /// Notes what a check found.
  mutating func note(_ damage: StoreDamage) {
    note("\(damage.path): damaged at byte \(damage.offset): \(damage.words)")
  }

  /// Forgets what was found in a directory, whose files are no longer used.
  mutating func forget(in directory: String) {
    let before = found.count
    found.removeAll { $0.hasPrefix(directory + "/") }
    inTables = max(0, inTables - (before - found.count))
  }

  /// Notes that all files in a directory were read and found sound, and of which replica that is news; nil: of none.
  mutating func noteSound(_ replica: ReplicaID?, in directory: String) {
    forget(in: directory)
    if let replica { sound.insert(replica) }
  }

  /// Notes that files of a replica are damaged.
  mutating func noteDamaged(_ replica: ReplicaID) { sound.remove(replica) }

  private mutating func note(_ words: String) {
    guard found.count < Limits.damageListed, !found.contains(words) else { return }
    found.append(words)
    inTables += 1
  }
}

/// Tells the catalog of replicas here whose files are damaged, so that it has others lead.
final class DamageReports {
  private unowned let node: Node
  private var underWay: Set<ReplicaID> = []

  init(node: Node) {
    self.node = node
  }

  /// Files of a partition's replica here were found damaged.
  func report(_ partition: Partition) {
    let (group, replica) = (partition.group, partition.replicaID)
    node.damage.noteDamaged(replica)
    guard node.catalog.catalog?.isDamaged(replica, of: group) == false, underWay.insert(replica).inserted else {
      return
    }
    let command = WireCatalogCommand.with {
      $0.reportDamage = .with {
        $0.group = group.rawValue
        $0.replica = replica.rawValue
      }
    }
    node.proposeToCatalog(command) { [self] _ in
      // Refused or lost: the next read of what is damaged tells again.
      underWay.remove(replica)
    }
  }
}

extension Node {
  /// The answer to a read that a store could not do. What is damaged is refused and reported; all else goes on.
  func failure(_ error: StoreError, of group: GroupID? = nil) -> WireResponse.OneOf_Body {
    if case .notRetained(let version, let floor) = error { return notRetained(version, floor: floor) }
    damage.note(error)
    return WireFailure.because(.damaged, "\(group.map { "partition \($0) on " } ?? "")node \(id): \(error)")
  }
}
