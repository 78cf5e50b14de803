import Bytes
import Raft

/// One replica with its disk, its clock and what it has under way.
final class TestNode {
  let id: ReplicaID
  var options: RaftOptions
  /// Nil while it is down.
  var core: RaftCore?
  var disk = TestDisk()
  var writes: [TestDisk.Write] = []
  var machine = TestSnapshot()
  var applyQueue: [LogEntry] = []
  /// Snapshots that arrived, by index.
  var arrived: [LogIndex: TestSnapshot] = [:]
  /// Neither ticks nor receives until this time of the cluster.
  var frozenUntil: UInt64 = 0
  /// Whether writes become durable, and entries are applied, without being asked to.
  var syncsByItself = true
  var appliesByItself = true
  /// How often, in thousandths of all steps of a random run, they do.
  var syncPermille = 700
  var applyPermille = 700
  /// The clock's speed in thousandths, and where it started.
  var clockRate: UInt64 = 1000
  var clockOffset: UInt64 = 1_000_000_000
  var reads: [ReadState] = []
  var rejectedReads: [UInt64] = []

  init(id: ReplicaID, options: RaftOptions) {
    self.id = id
    self.options = options
  }

  func clock(_ now: UInt64) -> UInt64 { clockOffset + now / 1000 * clockRate }

  /// Starts from what the disk has.
  func start(seed: UInt64, now: UInt64) {
    machine = disk.machine
    let last = disk.base.index + disk.entries.count
    precondition(machine.index <= last, "disk of \(id) ends at \(last), machine at \(machine.index)")
    core = RaftCore(
      id: id, options: options, hardState: disk.hardState, membership: machine.membership, compacted: disk.base,
      entries: disk.entries, applied: machine.index, seed: seed, now: clock(now))
  }

  /// Loses everything that is not durable; of the writes under way the first `surviving` made it.
  func crash(surviving: Int = 0) {
    for write in writes.prefix(surviving) { disk.perform(write) }
    writes = []
    applyQueue = []
    arrived = [:]
    core = nil
  }

  /// Keeps the state machine as it is over a crash.
  func flush() { disk.machine = machine }

  /// Flushes and forgets the log up to `index`.
  func compact(through index: LogIndex) {
    flush()
    core?.compact(through: index)
    disk.compact(through: index)
  }
}

func replica(_ number: UInt32) -> ReplicaID { ReplicaID(node: NodeID(rawValue: number), incarnation: 1) }
func index(_ value: UInt64) -> LogIndex { LogIndex(rawValue: value) }
func term(_ value: UInt64) -> Term { Term(rawValue: value) }
let millisecond: UInt64 = 1_000_000
