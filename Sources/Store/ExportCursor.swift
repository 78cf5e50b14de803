public import Bytes
import Synchronization
public import Table

/// All records of a store, every version and tombstone, in order, as they were at a moment: what a replica's snapshot
/// is made of. Reads on any thread while the store goes on; its files stay until it is released.
///
/// A tombstone that has no older value under it may be left out: it says nothing.
public final class ExportCursor: Sendable {
  /// The state that belongs to these records.
  public let state: StoreState
  private let frozen: Memtable?
  private let files: FileSet
  private let keyFilter: KeyFilter?
  private let stream: Mutex<Stream>

  private struct Stream {
    /// nil until the first record was asked for.
    var versions: VersionStream?
  }

  init(frozen: Memtable?, files: FileSet, state: StoreState, keyFilter: KeyFilter?) {
    self.keyFilter = keyFilter
    self.state = state
    self.frozen = frozen
    self.files = files
    stream = Mutex(Stream())
  }

  private static func begin(
    _ frozen: Memtable?, _ files: FileSet, at key: Key?
  ) throws(StoreError) -> VersionStream {
    let range = KeyRange(lower: key, upper: nil)
    var sources = files.currentSources(in: range, isReverse: false, caching: false)
    if let frozen { sources.insert(MemtableSource(frozen, isReverse: false), at: 0) }
    return try VersionStream(sources + files.historySources(in: range), from: key)
  }

  /// Lends the next record to `visit`; false after the last.
  public func next(_ visit: (RecordView) -> Void) throws(StoreError) -> Bool {
    try stream.withLock { (stream) throws(StoreError) in
      let versions = if let begun = stream.versions { begun } else { try Self.begin(frozen, files, at: nil) }
      stream.versions = versions
      while let view = try versions.peek() {
        let isOwn = keyFilter?(view.key) ?? true
        if isOwn { visit(view) }
        versions.skip()
        if isOwn { return true }
      }
      return false
    }
  }

  /// The next record, or nil after the last.
  public func next() throws(StoreError) -> Record? {
    var record: Record?
    _ = try next { record = $0.record }
    return record
  }

  /// Moves such that `next` gives the first record at or after (key, version): to go on with an export that was
  /// interrupted.
  public func seek(_ key: Key, _ version: Version) throws(StoreError) {
    try stream.withLock { (stream) throws(StoreError) in
      let versions = try Self.begin(frozen, files, at: key)
      // What comes before in the key says where its gaps are; so it is walked through.
      while let view = try versions.peek(),
        key.bytes.withRawBytes({ RecordOrder.compare(view.key, view.version, $0, version) }) < 0
      {
        versions.skip()
      }
      stream.versions = versions
    }
  }
}
