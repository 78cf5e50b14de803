import Bytes
import Table

/// The records of runs that lie apart and are sorted by key: a level from 1 on, a single table, runs of history. Of history
/// at a version it shows only what was alive then.
///
/// SAFETY: keys are lent for the duration of a call; that of the cursor is copied to `origin` before the cursor moves.
final class ChainSource: RecordSource {
  /// So many records in a row that don't count are passed one by one, then the next that may is sought.
  private static let patience = 8

  private let runs: ArraySlice<FileRun>
  private let isReverse: Bool
  /// Of history, the version at which records must be alive; nil for all.
  private let version: Version?
  private var index: Int
  private let cursor: TableCursor
  /// A copy of the key from which something is sought.
  private lazy var origin = GrowingBytes(capacity: 64)

  /// A source over at least one run. Records out of the range need not be among those that it shows.
  init(
    _ runs: ArraySlice<FileRun>, in range: KeyRange = .everything, tier: Tier, at version: Version? = nil,
    isReverse: Bool, caching: Bool
  ) {
    self.runs = runs
    self.isReverse = isReverse
    self.version = version
    index = runs.startIndex
    cursor = runs[index].run.cursor(caching: caching)
    if isReverse { cursor.lower = range.lower } else { cursor.upper = range.upper }
    super.init(tier: tier)
  }

  override func seek(_ key: UnsafeRawBufferPointer?, _ version: Version) throws(StoreError) {
    guard let key else {
      try enter(isReverse ? runs.endIndex - 1 : runs.startIndex)
      return try settle()
    }
    // The first run that reaches up to the key holds the place, or begins behind it.
    var low = runs.startIndex
    var high = runs.endIndex
    while low < high {
      let middle = (low + high) / 2
      let reaches = runs[middle].run.properties.maxKey.bytes.withRawBytes { compareBytes($0, key) >= 0 }
      if reaches { high = middle } else { low = middle + 1 }
    }
    guard low < runs.endIndex else {
      guard isReverse else { return leave() }
      try enter(low - 1)
      return try settle()
    }
    index = low
    cursor.reset(to: runs[low].run)
    try mapping { () throws(TableError) in
      if isReverse { try cursor.seek(before: key, version) } else { try cursor.seek(key, version) }
    }
    try settle()
  }

  override func advance() throws(StoreError) {
    try step()
    try settle()
  }

  @inline(__always)
  private func step() throws(StoreError) {
    do throws(TableError) {
      if isReverse { try cursor.previous() } else { try cursor.next() }
    } catch {
      throw StoreError(error)
    }
  }

  /// Shows the cursor's record, or the next that counts.
  @inline(__always)
  private func settle() throws(StoreError) {
    if version == nil {
      if cursor.isValid { return stand(on: cursor.view) }
      while try enterNeighbour() { if cursor.isValid { return stand(on: cursor.view) } }
      leave()
    } else {
      try settleAlive()
    }
  }

  private func settleAlive() throws(StoreError) {
    guard let version else { return }
    var passed = 0
    while true {
      guard cursor.isValid else {
        guard try enterNeighbour() else { return leave() }
        continue
      }
      let view = cursor.view
      if view.version <= version, view.to > version { return stand(on: view) }
      passed += 1
      if passed < Self.patience {
        try step()
      } else {
        passed = 0
        try jump(from: view, to: version)
      }
    }
  }

  /// Seeks past the records of a key that can't be alive at a version.
  private func jump(from view: RecordView, to version: Version) throws(StoreError) {
    origin.replace(view.key, from: 0)
    let (start, isTooNew) = (view.version, view.version > version)
    try mapping { () throws(TableError) in
      switch (isReverse, isTooNew) {
      case (false, true): try cursor.seek(origin.bytes, version)
      // All older ones ended before this one began.
      case (false, false): if start == .zero { try cursor.next() } else { try cursor.seek(origin.bytes, .zero) }
      case (true, true): try cursor.seek(before: origin.bytes, .max)
      // The newest that isn't too new is the only one that may be alive.
      case (true, false):
        try cursor.seek(origin.bytes, version)
        if cursor.isValid, compareBytes(cursor.view.key, origin.bytes) == 0, cursor.view.to > version { return }
        try cursor.seek(before: origin.bytes, .max)
      }
    }
    guard cursor.isValid else { return }
    // In a table whose records are out of order, under checksums that are right, a seek could lead back for ever.
    let order = RecordOrder.compare(cursor.view.key, cursor.view.version, origin.bytes, start)
    guard order != 0, (order < 0) == isReverse else {
      throw .corrupt(
        path: runs[index].file.reader.path, offset: 0, expected: "records in order",
        found: "one that a search finds on the wrong side")
    }
  }

  /// Goes over to the neighbouring run; false where there is none.
  private func enterNeighbour() throws(StoreError) -> Bool {
    let neighbour = isReverse ? index - 1 : index + 1
    guard runs.indices.contains(neighbour) else { return false }
    try enter(neighbour)
    return true
  }

  /// Moves the cursor to the first record of a run in the source's direction.
  private func enter(_ index: Int) throws(StoreError) {
    self.index = index
    cursor.reset(to: runs[index].run)
    try mapping { () throws(TableError) in
      if isReverse { try cursor.seekToLast() } else { try cursor.seekToFirst() }
    }
  }
}
