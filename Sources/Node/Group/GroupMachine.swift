import Bytes
import Raft

/// The state machine behind one replica: the catalog's or a partition's. It is called on the node's thread only.
protocol GroupMachine: AnyObject {
  /// Applies a committed command. Commands arrive once each, in order; an empty one marks a new leader's term.
  func apply(_ entry: LogEntry)
  /// Whether an entry may be applied now; otherwise `GroupReplica.resume` says when it may.
  func isReady(for entry: LogEntry) -> Bool
  /// The replica became, or ceased to be, leader, or the term changed.
  func roleChanged()
  /// `replica.core` has applied everything that is committed for now.
  func caughtUp()
  /// A membership was applied.
  func membershipChanged()
  /// Moves time on: deadlines, retries.
  func tick()
  /// Whether something waits in it for the next tick, however quiet its group.
  var needsTicks: Bool { get }
  /// Starts a transfer of the whole state as of now: what `SnapshotSender` streams.
  func captureState() -> CapturedState?
  /// Makes state durable so that the log up to here can go.
  func flush()
  /// The last entry whose effect is in files of the machine's own.
  var flushedIndex: LogIndex { get }
  /// Whether no more entries can be taken in for now without memory growing beyond its bound.
  var isSaturated: Bool { get }
  /// Takes the place of the present state with one received whole; calls back when it is durable.
  func install(_ received: ReceivedState, done: @escaping (Bool) -> Void)
}

/// A replica's whole state at one log index, on its way to another replica.
struct CapturedState: Sendable {
  /// What the state stands for; its `state` field holds all but the records.
  let point: SnapshotHeader
  /// The state beside the records, encoded.
  let state: [UInt8]
  /// About how many bytes the records take.
  var bytes: UInt64 = 0
  /// Gives the records in chunks, nil after the last; called on a worker thread. Nil where there are none.
  let nextChunk: (@Sendable () -> Result<[UInt8]?, SnapshotReadError>)?
}

/// Why the records of a captured state could not be read.
struct SnapshotReadError: Error, Sendable {
  let words: String
}
