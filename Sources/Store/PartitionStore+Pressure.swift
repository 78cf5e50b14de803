extension PartitionStore {
  /// What the store's jobs have done and have to do. Counts tables: for status, not for every write.
  public var progress: StoreProgress {
    StoreProgress(
      current: files.levels.map(Self.level), history: files.history.map(Self.level), memtableBytes: memtableBytes,
      debtBytes: debtBytes, compaction: compaction?.meter.progress, flushedBytes: flushedBytes,
      compactedBytes: compactedBytes, historyWrittenBytes: historyWrittenBytes,
      damagedFiles: files.all.count { damaged.contains($0.entry.number) })
  }

  private static func level(_ tables: [TableFile]) -> StoreProgress.Level {
    StoreProgress.Level(files: tables.count, bytes: tables.reduce(0) { $0 + $1.entry.fileBytes })
  }

  /// How writes should be held back, so that memory and level 0 stay bounded: ask before each one, it costs nothing. A
  /// write that is not held back is taken nevertheless.
  public var pressure: WritePressure {
    // With half of the tables between where level 0 is merged and where writes stop, and with the last quarter of a memtable
    // behind one that is being flushed, writes are slowed down more and more.
    let options = context.options
    let (slow, stop) = (2 * options.level0Files, 4 * options.level0Files)
    let tables = Double(files.levels[0].count - slow) / Double(stop - slow)
    guard frozen != nil else { return WritePressure(strain: tables) }
    let fill = Double(memtable.byteCount) / Double(max(1, options.memtableBytes))
    return WritePressure(strain: max(tables, (fill - 0.75) * 4))
  }

  /// Whether writes should wait for the jobs under way.
  public var isOverloaded: Bool { pressure == .stop }

  /// How pressing the compaction is that would come next: 1 where one has just become due, more the longer it is; 0 if none is.
  /// Of stores that share a worker the one with the highest goes first.
  public var urgency: Double {
    CompactionPlan.urgency(
      files, context.options, retention, damaged: damaged, mixed: ownership.mixedTables,
      hasTrash: !context.trash.isEmpty)
  }
}
