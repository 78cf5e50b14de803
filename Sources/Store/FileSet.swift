import Bytes
import Table

/// The tables of a store at one moment; immutable, so that whoever reads it holds its files.
struct FileSet: Sendable {
  /// Level 0 newest first, its tables overlapping; the others by key, theirs apart.
  private(set) var levels: [[TableFile]] = Array(repeating: [], count: StoreOptions.levels)

  /// A set of these tables, or the path of one that overlaps another of its level where none may.
  static func make(_ files: [TableFile]) -> Result<FileSet, Overlap> {
    var set = FileSet()
    for file in files { set.levels[file.entry.level].append(file) }
    set.sort()
    for level in 1..<StoreOptions.levels {
      for (left, right) in zip(set.levels[level], set.levels[level].dropFirst()) where left.maxKey >= right.minKey {
        return .failure(Overlap(path: right.reader.path))
      }
    }
    return .success(set)
  }

  /// A table that overlaps another of its level.
  struct Overlap: Error {
    let path: String
  }

  /// The set after an edit. The outputs of a job are apart where they must be, since its inputs were.
  func replacing(_ removed: [TableFile], with added: [TableFile]) -> FileSet {
    let gone = Set(removed.map(\.entry.number))
    var set = filtered { !gone.contains($0.entry.number) }
    for file in added { set.levels[file.entry.level].append(file) }
    set.sort()
    return set
  }

  /// The tables for which a condition holds.
  func filtered(_ condition: (TableFile) -> Bool) -> FileSet {
    var set = FileSet()
    set.levels = levels.map { $0.filter(condition) }
    return set
  }

  private mutating func sort() {
    levels[0].sort { $0.entry.number > $1.entry.number }
    for level in 1..<StoreOptions.levels { levels[level].sort { $0.minKey < $1.minKey } }
  }

  /// All tables.
  var all: [TableFile] { levels.flatMap { $0 } }

  /// The bytes of a level's files.
  func bytes(ofLevel level: Int) -> UInt64 {
    levels[level].reduce(0) { $0 + $1.entry.fileBytes }
  }

  /// The tables of a level from 1 on whose keys overlap a range of keys, both ends included.
  func overlapping(level: Int, _ minKey: Key, _ maxKey: Key) -> ArraySlice<TableFile> {
    let files = levels[level]
    let start = Self.firstIndex(files) { $0.maxKey >= minKey }
    let end = Self.firstIndex(files) { $0.minKey > maxKey }
    return start < end ? files[start..<end] : []
  }

  /// The first table for which a condition holds that, once true, stays true.
  static func firstIndex(_ files: [TableFile], where condition: (TableFile) -> Bool) -> Int {
    var low = 0
    var high = files.count
    while low < high {
      let middle = (low + high) / 2
      if condition(files[middle]) { high = middle } else { low = middle + 1 }
    }
    return low
  }
}
