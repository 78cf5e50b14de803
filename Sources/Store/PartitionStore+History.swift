public import Bytes
public import Table

// SAFETY: records are lent to `visit` for the duration of the call.
extension PartitionStore {
  /// Lends the kept versions of a key that lie below `before`, the newest first, to `visit`, until that gives false.
  ///
  /// A value is kept while some version that may be read shows it; a deletion, as a tombstone, while it is younger than
  /// the floor: below it what a pin holds may be followed by a gap that no deletion made. So all replicas show the same,
  /// whatever each has compacted. What the tables still hold beyond is not shown.
  public func history(
    of key: Key, before: Version = .max, _ visit: (RecordView) -> Bool
  ) throws(StoreError) {
    let stream = try versions(of: key)
    var filter = HistoryFilter(retention: retention, before: before)
    while let view = try stream.peek(), key.bytes.withRawBytes({ compareBytes(view.key, $0) == 0 }) {
      guard filter.take(view, visit) else { return }
      stream.skip()
    }
  }

  /// All writes of a key that the store knows, the newest first. What is newer says when the next older one ended.
  private func versions(of key: Key) throws(StoreError) -> VersionStream {
    let range = KeyRange(lower: key, upper: key.successor)
    let sources =
      memtableSources(isReverse: false) + files.currentSources(in: range, isReverse: false, caching: true)
      + files.historySources(in: range)
    return try VersionStream(sources, from: key)
  }
}

/// Which of a key's versions, the newest first, are kept.
private struct HistoryFilter {
  let retention: Retention
  let before: Version
  /// The version of the record before, which ends the life of the next one.
  private var end = Version.max
  /// A deletion that is shown if the value that it ended is.
  private var deletion: Version?

  init(retention: Retention, before: Version) {
    self.retention = retention
    self.before = before
  }

  /// Shows a record, if it is one to be shown; false where `visit` wants no more.
  mutating func take(_ view: RecordView, _ visit: (RecordView) -> Bool) -> Bool {
    defer { end = view.version }
    guard view.kind == .value else {
      deletion = view.version < before && view.version > retention.floor ? view.version : nil
      return true
    }
    let pending = deletion
    deletion = nil
    guard end == .max || retention.holds(from: view.version, to: end) else { return true }
    if let pending {
      let tombstone = RecordView(
        key: view.key, value: UnsafeRawBufferPointer(start: nil, count: 0), version: pending, kind: .tombstone)
      guard visit(tombstone) else { return false }
    }
    return view.version < before ? visit(view) : true
  }
}
