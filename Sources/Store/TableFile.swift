import Bytes
import Environment
import Synchronization
import Table

/// A table that belongs, or belonged, to a store. When the last file set, cursor or job lets go of one that a
/// compaction has replaced, its path goes to the trash.
final class TableFile: Sendable {
  let entry: TableEntry
  let reader: TableReader
  private let hold: FileHold

  init(_ entry: TableEntry, reader: TableReader, trash: Trash) {
    self.entry = entry
    self.reader = reader
    hold = FileHold(reader, trash: trash)
  }

  private init(_ file: TableFile, _ entry: TableEntry) {
    self.entry = entry
    reader = file.reader
    hold = file.hold
  }

  /// The same table in another level; who holds either holds the file.
  func moved(to level: Int) -> TableFile {
    var entry = entry
    entry.level = level
    return TableFile(self, entry)
  }

  /// Lets the file be removed once nobody holds it.
  func retire() { hold.isObsolete.store(true, ordering: .releasing) }

  var minKey: Key { reader.properties.minKey }
  var maxKey: Key { reader.properties.maxKey }

  /// The runs: one in the current tier.
  var runs: [FileRun] { reader.runs.map { FileRun(file: self, run: $0) } }

  /// Whether a table of history holds nothing that is retained: no pin lies in the time of any of its runs.
  func isExpired(_ retention: Retention) -> Bool {
    guard reader.properties.maxEdge <= retention.floor else { return false }
    return reader.runs.allSatisfy {
      !retention.holds(from: $0.properties.minVersion, to: $0.properties.maxEdge)
    }
  }
}

/// Keeps a file in existence: when the last holder of one that is obsolete lets go, its path goes to the trash.
private final class FileHold: Sendable {
  let isObsolete = Atomic<Bool>(false)
  private let path: String
  private let table: UInt64
  private let trash: Trash

  init(_ reader: TableReader, trash: Trash) {
    path = reader.path
    table = reader.id
    self.trash = trash
  }

  deinit {
    if isObsolete.load(ordering: .acquiring) { trash.add(path, table: table) }
  }
}

/// A run, and the file that it keeps in existence.
struct FileRun: Sendable {
  let file: TableFile
  let run: TableRun

  /// Whether some of its records, which are history, may be alive at a version.
  func isAlive(at version: Version) -> Bool {
    run.properties.minVersion <= version && version < run.properties.maxEdge
  }
}

/// The files that nobody needs any more, until a job on a worker thread removes them.
final class Trash: Sendable {
  private struct Item {
    let path: String
    /// What the cache knows the table by.
    let table: UInt64
  }

  private let items = Mutex<[Item]>([])

  var isEmpty: Bool { items.withLock { $0.isEmpty } }

  func add(_ path: String, table: UInt64) {
    items.withLock { $0.append(Item(path: path, table: table)) }
  }

  /// Removes the files, and their blocks from the cache. A file that can't be removed is an orphan, which the next opening of
  /// the store removes.
  func empty(on disk: any Disk, _ cache: BlockCache) {
    let all = items.withLock { items in
      defer { items = [] }
      return items
    }
    cache.forget(Set(all.map(\.table)))
    for item in all { try? disk.remove(item.path) }
  }
}
