import Bytes
import Table

/// A value, and the versions at which it is its key's: [from, to), `to` being `Version.max` for one that still lives.
///
/// SAFETY: `record` is lent for the duration of the call that shows it.
struct LifeView {
  let record: RecordView
  let to: Version
}

/// The lives of values in a view that are alive at a retained version, in record order, read anew from the disk: the
/// same whatever was compacted or dropped. For one thread at a time.
final class LifeWalk {
  private let stream: VersionStream
  private let retention: Retention
  private let prefix: [UInt8]
  private let keyFilter: KeyFilter?
  /// The record before: its key, and its version.
  private let lastKey = GrowingBytes(capacity: 64)
  private var lastVersion: Version?
  /// The bytes of records read, those left out included.
  private(set) var readBytes = 0

  /// A walk over the keys that begin with a prefix, from a key on.
  init(_ view: StoreView, retention: Retention, prefix: [UInt8], from start: Key? = nil) throws(StoreError) {
    self.retention = retention
    self.prefix = prefix
    keyFilter = view.keyFilter
    let first = start ?? (prefix.isEmpty ? nil : Key(prefix))
    let upper = prefix.isEmpty ? nil : Key(prefix).successorOfPrefix
    let range = KeyRange(lower: first, upper: upper)
    // Through a cache that holds nothing: what memory has of the files says nothing of the disk.
    let cache = BlockCache(byteBudget: 0)
    let trash = Trash()
    var files: [TableFile] = []
    for file in view.files.all where range.overlaps(file.minKey, file.maxKey) {
      let reader = try mapping { () throws(TableError) in
        try TableReader(disk: view.context.disk, path: file.reader.path, cache: cache)
      }
      files.append(TableFile(file.entry, reader: reader, trash: trash))
    }
    let set = FileSet().replacing([], with: files)
    let sources: [RecordSource] = view.memtables.map { MemtableSource($0, isReverse: false) }
    stream = try VersionStream(
      sources + set.currentSources(in: range, isReverse: false, caching: false) + set.historySources(in: range),
      from: first)
  }

  /// Lends the next life to `visit`; false after the last. Every record that is read counts, so a call may read many.
  func next(_ visit: (LifeView) -> Void) throws(StoreError) -> Bool {
    while let view = try stream.peek() {
      guard prefix.isEmpty || view.key.starts(with: prefix) else { return false }
      readBytes += view.key.count + view.value.count
      let isSameKey = lastVersion != nil && compareBytes(view.key, lastKey.bytes) == 0
      let to = isSameKey ? lastVersion ?? .max : .max
      if !isSameKey { lastKey.replace(view.key, from: 0) }
      lastVersion = view.version
      let isAlive = view.kind == .value && (to == .max || retention.holds(from: view.version, to: to))
      let counts = isAlive && keyFilter?(view.key) ?? true
      if counts { visit(LifeView(record: view, to: to)) }
      stream.skip()
      if counts { return true }
    }
    return false
  }
}
