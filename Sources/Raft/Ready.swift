public import Bytes

/// What a core wants done. Taking it out is the promise to do all of it, in this order where it matters:
/// write `hardState` and `entries`, durably; send `immediate` at once; when the writes are durable send `afterPersist` and
/// call `persisted(ticket:)`; apply `committed` and call `applied(to:)`. See kv-raft(7).
public struct Ready: Sendable {
  /// Numbers the `Ready`s of a core from 1 up.
  public var ticket: UInt64 = 0
  /// The hard state to write, in one durable write with `entries` or before them; nil where there is nothing to write.
  public var hardState: HardState?
  /// Entries to append to the log; what the log has from the first one's index on is replaced.
  public var entries: [LogEntry] = []
  /// Messages that may leave now, even before the write.
  public var immediate: [Message] = []
  /// Messages that leave once this `Ready` and all before it are durable.
  public var afterPersist: [Message] = []
  /// Entries to apply, in order: committed, and durable here.
  public var committed: [LogEntry] = []
  /// Reads that may be served once the index is applied.
  public var readStates: [ReadState] = []
  /// Contexts of reads that will never be answered: leadership was lost.
  public var rejectedReads: [UInt64] = []
  /// A snapshot, received whole, to install now; `installed` or `installFailed` must follow.
  public var snapshot: SnapshotHeader?
  /// Whether role, leader or term changed since the `Ready` before.
  public var roleChange = false

  /// Whether there is nothing to do.
  public var isEmpty: Bool {
    hardState == nil && entries.isEmpty && immediate.isEmpty && afterPersist.isEmpty && committed.isEmpty
      && readStates.isEmpty && rejectedReads.isEmpty && snapshot == nil && !roleChange
  }
}

/// A read that was confirmed: a state that includes the entry at `index` is fresh enough for it.
public struct ReadState: Equatable, Sendable {
  /// The context that `readIndex` was called with.
  public let context: UInt64
  /// The index that must be applied before the read is served.
  public let index: LogIndex
}
