import Bytes
import Table

/// The tables of a store at one moment; immutable, so that whoever reads it holds its files.
final class FileSet: Sendable {
  /// The current tier. Level 0 newest first, its tables overlapping; the others by key, theirs apart.
  let levels: [[TableFile]]
  /// History, by level. Tables overlap in keys and time; no version of a key is in two.
  let history: [[TableFile]]
  /// The runs of history by the time in which they lived.
  let lives: LifeIndex
  /// The runs of each current level, in the order of its tables.
  let currentRuns: [[FileRun]]

  /// A set of these tables, or the path of one that overlaps another of its level where none may.
  static func make(_ files: [TableFile]) -> Result<FileSet, Overlap> {
    let set = FileSet(files)
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

  /// A set of tables that are apart where they must be. With `lives` those of the same tables of history.
  init(_ files: [TableFile] = [], lives: LifeIndex? = nil) {
    var levels: [[TableFile]] = Array(repeating: [], count: StoreOptions.levels)
    var history: [[TableFile]] = Array(repeating: [], count: StoreOptions.historyLevels)
    for file in files {
      switch file.entry.tier {
      case .current: levels[file.entry.level].append(file)
      case .history: history[file.entry.level].append(file)
      }
    }
    levels[0].sort { $0.entry.number > $1.entry.number }
    for level in 1..<StoreOptions.levels { levels[level].sort { $0.minKey < $1.minKey } }
    for level in history.indices { history[level].sort { $0.entry.number < $1.entry.number } }
    self.levels = levels
    self.history = history
    self.lives = lives ?? LifeIndex(history.flatMap { $0.flatMap(\.runs) })
    currentRuns = levels.map { $0.flatMap(\.runs) }
  }

  /// The set after an edit. The outputs of a job are apart where they must be, since its inputs were.
  func replacing(_ removed: [TableFile], with added: [TableFile]) -> FileSet {
    let gone = Set(removed.map(\.entry.number))
    let touchesHistory = (removed + added).contains { $0.entry.tier == .history }
    return FileSet(all.filter { !gone.contains($0.entry.number) } + added, lives: touchesHistory ? nil : lives)
  }

  /// All tables.
  var all: [TableFile] { levels.flatMap { $0 } + allHistory }

  /// All tables of history.
  var allHistory: [TableFile] { history.flatMap { $0 } }

  /// The bytes of a current level's files.
  func bytes(ofLevel level: Int) -> UInt64 {
    levels[level].reduce(0) { $0 + $1.entry.fileBytes }
  }

  /// Whether a table in one of the current levels below a level may hold a key.
  func mayHold(_ key: UnsafeRawBufferPointer, below level: Int) -> Bool {
    for (number, files) in levels.enumerated() where number > level && !files.isEmpty {
      if number == 0 {
        if files.contains(where: { $0.spans(key) }) { return true }
      } else {
        let at = Self.firstIndex(files) { file in file.maxKey.bytes.withRawBytes { compareBytes($0, key) >= 0 } }
        if at < files.count, files[at].spans(key) { return true }
      }
    }
    return false
  }

  /// The tables of a current level from 1 on whose keys overlap a range of keys, both ends included.
  func overlapping(level: Int, _ minKey: Key, _ maxKey: Key) -> ArraySlice<TableFile> {
    let files = levels[level]
    let start = Self.firstIndex(files) { $0.maxKey >= minKey }
    let end = Self.firstIndex(files) { $0.minKey > maxKey }
    return start < end ? files[start..<end] : []
  }

  /// The most tables that have some key in common.
  static func depth(_ files: [TableFile]) -> Int {
    var ends = files.map { (key: $0.maxKey, change: -1) }
    ends += files.map { (key: $0.minKey, change: 1) }
    ends.sort { $0.key != $1.key ? $0.key < $1.key : $0.change > $1.change }
    var depth = 0
    var deepest = 0
    for end in ends {
      depth += end.change
      deepest = max(deepest, depth)
    }
    return deepest
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

// SAFETY: the key is lent for the duration of a call, and compared with keys that own their bytes.
extension TableFile {
  /// Whether a key lies between the first and the last of the table.
  func spans(_ key: UnsafeRawBufferPointer) -> Bool {
    minKey.bytes.withRawBytes { compareBytes($0, key) <= 0 } && maxKey.bytes.withRawBytes { compareBytes($0, key) >= 0 }
  }
}
