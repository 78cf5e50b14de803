import Bytes
import Table

/// One sorted stream of records on its way into a merge, forward or backward. Stands on its first record after `seek`.
class RecordSource {
  // Exclusivity isn't checked at run time: no access to a member spans a call that could come back to it.

  /// The record on which the source stands, valid until it moves.
  @exclusivity(unchecked) final var view = RecordView.none
  /// The word (`RecordOrder.word`) of its key.
  @exclusivity(unchecked) final var word: UInt64 = 0
  /// Whether it stands on a record.
  @exclusivity(unchecked) final var isValid = false

  /// Moves to the first record in the source's direction from (key, version): forward the first at or after it,
  /// backward the last before it. Without a key, to the first or last of all.
  func seek(_ key: UnsafeRawBufferPointer?, _ version: Version) throws(StoreError) {
    preconditionFailure("a source must say how it seeks")
  }

  /// Moves one record in the source's direction.
  func advance() throws(StoreError) {
    preconditionFailure("a source must say how it moves")
  }

  @inline(__always)
  final func stand(on view: RecordView) {
    self.view = view
    word = RecordOrder.word(view.key)
    isValid = true
  }

  final func leave() {
    view = .none
    isValid = false
  }
}

/// The records of a memtable.
final class MemtableSource: RecordSource {
  private let memtable: Memtable
  private let isReverse: Bool
  @exclusivity(unchecked) private var place: Memtable.Place

  init(_ memtable: Memtable, isReverse: Bool) {
    self.memtable = memtable
    self.isReverse = isReverse
    place = Memtable.Place(leaf: memtable.firstLeaf, slot: 0)
  }

  override func seek(_ key: UnsafeRawBufferPointer?, _ version: Version) {
    if let key {
      place = memtable.place(key, version)
    } else {
      let leaf = isReverse ? memtable.lastLeaf : memtable.firstLeaf
      place = Memtable.Place(leaf: leaf, slot: isReverse ? leaf.count : 0)
    }
    if isReverse { place.slot -= 1 }
    settle()
  }

  override func advance() {
    place.slot += isReverse ? -1 : 1
    settle()
  }

  /// Steps over the end of a leaf. Leaves are never empty, but for the only one of an empty memtable.
  private func settle() {
    if isReverse {
      if place.slot < 0, let previous = place.leaf.previous {
        place = Memtable.Place(leaf: previous, slot: previous.count - 1)
      }
    } else if place.slot >= place.leaf.count, let next = place.leaf.next {
      place = Memtable.Place(leaf: next, slot: 0)
    }
    guard place.slot >= 0, place.slot < place.leaf.count else { return leave() }
    stand(on: place.leaf.record(place.slot).view)
  }
}

/// The records of tables that lie apart and are sorted by key: a level from 1 on, or a single table of level 0.
final class LevelSource: RecordSource {
  private let files: ArraySlice<TableFile>
  private let isReverse: Bool
  private var index: Int
  private let cursor: TableCursor

  /// A source over at least one table.
  init(_ files: ArraySlice<TableFile>, isReverse: Bool, caching: Bool) {
    self.files = files
    self.isReverse = isReverse
    index = files.startIndex
    cursor = files[index].reader.cursor(caching: caching)
  }

  override func seek(_ key: UnsafeRawBufferPointer?, _ version: Version) throws(StoreError) {
    guard let key else {
      return try enter(isReverse ? files.endIndex - 1 : files.startIndex)
    }
    // The first table that reaches up to the key holds the place, or begins behind it.
    var low = files.startIndex
    var high = files.endIndex
    while low < high {
      let middle = (low + high) / 2
      let reaches = files[middle].maxKey.bytes.withRawBytes { compareBytes($0, key) >= 0 }
      if reaches { high = middle } else { low = middle + 1 }
    }
    guard low < files.endIndex else { return isReverse ? try enter(low - 1) : leave() }
    index = low
    cursor.reset(to: files[low].reader)
    try mapping { () throws(TableError) in
      if isReverse {
        try cursor.seek(before: key, version)
      } else {
        try cursor.seek(key, version)
      }
    }
    try settle()
  }

  override func advance() throws(StoreError) {
    do throws(TableError) {
      if isReverse { try cursor.previous() } else { try cursor.next() }
    } catch {
      throw StoreError(error)
    }
    try settle()
  }

  /// Shows the cursor's record, or goes on to the neighbouring table.
  @inline(__always)
  private func settle() throws(StoreError) {
    if cursor.isValid { stand(on: cursor.view) } else { try enterNeighbour() }
  }

  private func enterNeighbour() throws(StoreError) {
    let neighbour = isReverse ? index - 1 : index + 1
    guard files.indices.contains(neighbour) else { return leave() }
    try enter(neighbour)
  }

  /// Stands on the first record of a table in the source's direction.
  private func enter(_ index: Int) throws(StoreError) {
    self.index = index
    cursor.reset(to: files[index].reader)
    try mapping { () throws(TableError) in
      if isReverse { try cursor.seekToLast() } else { try cursor.seekToFirst() }
    }
    try settle()
  }
}
