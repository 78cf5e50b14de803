import Bytes
import Table

/// A value, and the versions at which it is its key's: [from, to), `to` being `Version.max` for one that still lives.
///
/// SAFETY: `record` is lent for the duration of the call that shows it.
struct LifeView {
  let record: RecordView
  let to: Version
}

/// The lives of values in a view that lie in a scope, in record order, read anew from the disk: the
/// same whatever was compacted or dropped. For one thread at a time.
final class LifeWalk {
  private let stream: VersionStream
  private let scope: LifeScope
  private let keyFilter: KeyFilter?
  /// The record before: its key, and its version.
  private let lastKey = GrowingBytes(capacity: 64)
  private var lastVersion: Version?
  /// The bytes of records read, those left out included.
  private(set) var readBytes = 0

  /// A walk from a key on.
  init(_ view: StoreView, _ scope: LifeScope, from start: Key? = nil) throws(StoreError) {
    self.scope = scope
    let prefix = scope.prefix
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
    let set = FileSet(files)
    let sources: [RecordSource] = view.memtables.map { MemtableSource($0, isReverse: false) }
    stream = try VersionStream(
      sources + set.currentSources(in: range, isReverse: false, caching: false) + set.historySources(in: range),
      from: first)
  }

  /// Lends the next life to `visit`; false after the last. Every record that is read counts, so a call may read many.
  func next(_ visit: (LifeView) -> Void) throws(StoreError) -> Bool {
    while let view = try stream.peek() {
      guard scope.prefix.isEmpty || view.key.starts(with: scope.prefix) else { return false }
      readBytes += view.key.count + view.value.count
      let isSameKey = lastVersion != nil && compareBytes(view.key, lastKey.bytes) == 0
      let to = isSameKey ? lastVersion ?? .max : .max
      if !isSameKey { lastKey.replace(view.key, from: 0) }
      lastVersion = view.version
      let isAlive = view.kind == .value && scope.counts(from: view.version, to: to)
      let counts = isAlive && keyFilter?(view.key) ?? true
      // At one version nobody knows yet what comes after.
      if counts { visit(LifeView(record: view, to: scope.at == nil ? to : .max)) }
      stream.skip()
      if counts { return true }
    }
    return false
  }
}
