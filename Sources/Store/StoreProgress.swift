import Synchronization

/// What a store's jobs have done and have to do.
public struct StoreProgress: Equatable, Sendable {
  /// A level's tables.
  public struct Level: Equatable, Sendable {
    /// How many there are.
    public let files: Int
    /// The bytes of their files.
    public let bytes: UInt64
  }

  /// The levels of the current tier, from 0 on: what was flushed, then deeper ones.
  public let current: [Level]
  /// The levels of history, from 0 on: how often it was merged; the last is that of what isn't merged again.
  public let history: [Level]
  /// The bytes of records in memory that are not flushed yet.
  public let memtableBytes: Int
  /// The bytes that compactions which are due will rewrite, about: the debt.
  public let debtBytes: UInt64
  /// The compaction under way: bytes of keys and values moved, and to be moved in all.
  public let compaction: Compaction?
  /// The bytes of files that flushes have written since the store was opened.
  public let flushedBytes: UInt64
  /// The same of compactions.
  public let compactedBytes: UInt64
  /// Those of both that went to tables of history.
  public let historyWrittenBytes: UInt64
  /// The tables that couldn't be read.
  public let damagedFiles: Int

  /// How far a compaction is.
  public struct Compaction: Equatable, Sendable {
    /// The bytes moved.
    public let doneBytes: UInt64
    /// The bytes of all inputs.
    public let totalBytes: UInt64
  }
}

/// How far a job is, for other threads to see.
final class CompactionMeter: Sendable {
  private let done = Atomic<UInt64>(0)
  private let total: UInt64

  init(total: UInt64) {
    self.total = total
  }

  func show(done bytes: UInt64) { done.store(bytes, ordering: .relaxed) }

  var progress: StoreProgress.Compaction {
    StoreProgress.Compaction(doneBytes: min(done.load(ordering: .relaxed), total), totalBytes: total)
  }
}
