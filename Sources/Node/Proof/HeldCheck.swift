import Bytes
import Environment
import HashRing
import Merkle
import Raft
import Store
import Wire

/// What a replica holds for one check: its state as of the check's log entry, and what was read of it.
final class HeldCheck {
  /// The order in which checks came here.
  let number: UInt64
  let group: GroupID
  let replica: ReplicaID
  /// As of the check's entry, like all that is compared: a split that is applied between the announcement and the
  /// entry is then applied on every replica, or on none.
  private(set) var arc: Arc
  /// Whether only sums that are kept anyway are wanted.
  let isQuick: Bool
  /// When it is let go unless it is heard of again.
  var expires: Moment
  /// Nil until the entry has been applied.
  private(set) var held: Held?
  var scan: Scan?
  var listing: Listing?
  /// Steps that are answered when there is something to say.
  var waiters: [Waiter] = []

  /// A step whose answer waits for the log entry or for the disk.
  struct Waiter {
    let request: WireCheckRequest
    /// Then it says how far things are.
    let until: Moment
    let reply: (WireCheckResponse) -> Void
  }

  /// The replica's state at the check's entry.
  struct Held {
    let index: LogIndex
    /// What is to be read; nil in a quick check.
    let view: StoreView?
    /// The sum over all records ever applied, in a quick check, where it is known.
    let sum: [UInt8]
    let retention: Retention
    /// SHA-256 of what there is beside the records.
    let stateDigest: [UInt8]
  }

  /// The reading of the disk.
  struct Scan {
    let job: ViewScan
    let scope: LifeScope
    let rate: UInt64
    /// The reading of the log that belongs to it.
    let round: UInt64
    var progress: ViewScan.Progress?
    var tree: SumTree?
    var resumeAt = Moment(rawValue: 0)
  }

  /// The listing of the records of slices.
  struct Listing {
    let slices: [UInt32]
    let start: [UInt8]
    let job: ViewListing
    var outcome = ViewListing.Outcome.more
  }

  init(_ partition: Partition, number: UInt64, isQuick: Bool, expires: Moment) {
    self.number = number
    group = partition.group
    replica = partition.replicaID
    arc = partition.arc
    self.isQuick = isQuick
    self.expires = expires
  }

  /// What is to be read for a check.
  enum Reading {
    case scan(Scan)
    case listing(Listing)
  }

  /// What there is to be read now, if anything.
  func reading(at now: Moment) -> Reading? {
    if let scan, scan.progress?.digest == nil { return now >= scan.resumeAt ? .scan(scan) : nil }
    if let listing, case .more = listing.outcome { return .listing(listing) }
    return nil
  }

  /// Takes the partition's state in: its entry has just been applied.
  func hold(_ partition: Partition, at index: LogIndex) {
    guard let digest = HeldCheck.stateDigest(of: partition) else { return }
    arc = partition.arc
    var sum = ByteWriter()
    if isQuick {
      partition.appliedSum?.encode(into: &sum)
    } else if partition.store.memtableBytes > Limits.copiedMemtable.rawValue {
      // What is on its way to the disk stands still: it needs no copy, for which all else would have to wait.
      partition.flush()
    }
    held = Held(
      index: index, view: isQuick ? nil : partition.store.view(), sum: sum.bytes,
      retention: partition.store.retention, stateDigest: digest)
  }

  /// SHA-256 over arc, last version, request ids and membership; nil where the replica is gone.
  private static func stateDigest(of partition: Partition) -> [UInt8]? {
    guard let replica = partition.replica else { return nil }
    var writer = ByteWriter()
    partition.arc.encode(into: &writer)
    writer.u64(partition.lastVersion.rawValue)
    writer.string(partition.sessions.encode())
    replica.core.membership.encode(into: &writer)
    let hash = SHA256()
    writer.bytes.withUnsafeBytes { hash.update($0) }
    return hash.finish()
  }

  /// The slice of a key in an arc: the bits of its position below those that all of the arc share.
  ///
  /// SAFETY: the key is lent for the call, and read within it alone.
  static func slice(of key: UnsafeRawBufferPointer, in arc: Arc) -> Int {
    let below = Position(ofBytes: key).rawValue << UInt64(arc.bits)
    return Int(below >> UInt64(64 - Limits.sliceBits))
  }
}
