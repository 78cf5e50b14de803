public import Bytes
import Table

/// Finds the oldest changes of a store above a version, in the order of their versions, among what was applied before
/// the last `freeze`: what came later is in the log's memory.
///
/// Tables are sorted by key, so that all of those which may matter are read for each part of so many bytes; memory holds
/// twice that part. Reads on any thread while the store goes on, one thread at a time; its files stay until it is
/// released.
///
/// SAFETY: Sendable because its owner lets one thread after the other use it, each handed over to by a queue; the memtable
/// that it reads is frozen.
public final class ChangeScan: @unchecked Sendable {
  /// Which changes are wanted.
  public struct Query: Sendable {
    /// Only changes above this version, which must be retained …
    public let after: Version
    /// … and up to this one.
    public let through: Version
    /// The first key; nil for the first of all.
    public let lower: Key?
    /// The key behind the last; nil for none.
    public let upper: Key?
    /// About so many bytes of them.
    public let credit: Int

    /// A query of these parts.
    public init(after: Version, through: Version, lower: Key?, upper: Key?, credit: Int) {
      self.after = after
      self.through = through
      self.lower = lower
      self.upper = upper
      self.credit = credit
    }
  }

  private let frozen: Memtable?
  private let files: FileSet
  private let query: Query
  private let includes: @Sendable (UnsafeRawBufferPointer) -> Bool
  private var stream: VersionStream?
  /// The key passed last, and the oldest version folded into its record: unless a record of that version comes, it was a
  /// deletion. What it deleted may lie in tables that are not read, so that the stream sees no gap.
  private let key = GrowingBytes(capacity: 64)
  private var folded: Version?
  private var found: [Record] = []
  private var foundBytes = 0
  /// All wanted changes up to here are found, once the scan is done.
  public private(set) var through: Version

  init(
    frozen: Memtable?, files: FileSet, state: StoreState, query: Query,
    includes: @escaping @Sendable (UnsafeRawBufferPointer) -> Bool
  ) {
    self.frozen = frozen
    self.files = files
    self.query = query
    self.includes = includes
    through = min(query.through, state.lastVersion)
  }

  /// The changes found, in the order of their versions, once the scan is done.
  public var changes: [Record] { found }

  /// Reads on for about so many records; true once the scan is done.
  public func step(records: Int) throws(StoreError) -> Bool {
    let stream = if let stream { stream } else { try begin() }
    var left = records
    while left > 0 {
      guard let view = try stream.peek(), isWithin(view.key) else {
        endFolded()
        settle()
        return true
      }
      if let folded, compareBytes(view.key, key.bytes) != 0 || view.version < folded { endFolded() }
      if view.version == folded { folded = nil }
      take(view)
      key.replace(view.key, from: 0)
      let version = view.version
      stream.skip()
      if let since = stream.foldedSince, since < version, since > query.after { folded = since }
      left -= 1
    }
    return false
  }

  private func begin() throws(StoreError) -> VersionStream {
    let range = KeyRange(lower: query.lower, upper: query.upper)
    var sources = files.sources(changedAfter: query.after, in: range)
    if let frozen { sources.insert(MemtableSource(frozen, isReverse: false), at: 0) }
    let stream = try VersionStream(sources, from: query.lower)
    self.stream = stream
    return stream
  }

  private func isWithin(_ key: UnsafeRawBufferPointer) -> Bool {
    query.upper.map { $0.bytes.withRawBytes { compareBytes(key, $0) < 0 } } ?? true
  }

  /// The version folded last was a deletion's.
  private func endFolded() {
    guard let version = folded else { return }
    folded = nil
    take(
      RecordView(
        key: key.bytes, value: UnsafeRawBufferPointer(start: nil, count: 0), version: version, kind: .tombstone))
  }

  private func take(_ view: RecordView) {
    guard view.version > query.after, view.version <= through, includes(view.key) else { return }
    found.append(view.record)
    foundBytes += view.key.count + view.value.count + ChangeScan.recordBytes
    if foundBytes >= 2 * query.credit { settle() }
  }

  private static let recordBytes = 32

  /// Sorts what was found and lets go of what goes beyond the credit, but never of a part of a version.
  private func settle() {
    found.sort { $0.version < $1.version }
    var bytes = 0
    for (place, record) in found.enumerated() {
      if bytes >= query.credit, record.version > found[place - 1].version {
        through = found[place - 1].version
        found.removeSubrange(place...)
        break
      }
      bytes += record.key.bytes.count + record.value.count + ChangeScan.recordBytes
    }
    foundBytes = bytes
  }
}

extension PartitionStore {
  /// A search for changes among what was applied before the last `freeze`. A version below the floor is refused: changes
  /// above it may be gone.
  /// - Parameter includes: whether a key is wanted.
  public func changeScan(
    _ query: ChangeScan.Query, includes: @escaping @Sendable (UnsafeRawBufferPointer) -> Bool
  ) throws(StoreError) -> ChangeScan {
    guard query.after >= retention.floor else {
      throw .notRetained(version: query.after, floor: retention.floor)
    }
    return ChangeScan(
      frozen: frozen?.memtable, files: files, state: frozen?.state ?? flushedState, query: query, includes: includes)
  }
}
