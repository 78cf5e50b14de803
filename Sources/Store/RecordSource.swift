import Bytes
import Table

/// One sorted stream of records on its way into a merge, forward or backward. Stands on its first record after `seek`.
class RecordSource {
  /// The record on which the source stands, valid until it moves.
  final var view = RecordView.none
  /// The word (`RecordOrder.word`) of its key.
  final var word: UInt64 = 0
  /// Whether it stands on a record.
  final var isValid = false

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
  private var place: Memtable.Place

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
  private let caching: Bool
  private var index: Int
  private var cursor: TableCursor?

  init(_ files: ArraySlice<TableFile>, isReverse: Bool, caching: Bool) {
    self.files = files
    self.isReverse = isReverse
    self.caching = caching
    index = files.startIndex
  }

  override func seek(_ key: UnsafeRawBufferPointer?, _ version: Version) throws(StoreError) {
    guard !files.isEmpty else { return leave() }
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
    let cursor = files[low].reader.cursor(caching: caching)
    self.cursor = cursor
    try mapping { () throws(TableError) in
      if isReverse {
        try cursor.seek(before: key, version)
      } else {
        try cursor.seek(key, version)
      }
    }
    try settle(cursor)
  }

  override func advance() throws(StoreError) {
    guard let cursor else { return }
    do throws(TableError) {
      if isReverse { try cursor.previous() } else { try cursor.next() }
    } catch {
      throw StoreError(error)
    }
    if cursor.isValid { stand(on: cursor.view) } else { try settle(cursor) }
  }

  /// Shows the cursor's record, or goes on to the neighbouring table.
  private func settle(_ cursor: TableCursor) throws(StoreError) {
    if cursor.isValid { return stand(on: cursor.view) }
    let neighbour = isReverse ? index - 1 : index + 1
    guard files.indices.contains(neighbour) else { return leave() }
    try enter(neighbour)
  }

  /// Stands on the first record of a table in the source's direction.
  private func enter(_ index: Int) throws(StoreError) {
    self.index = index
    let cursor = files[index].reader.cursor(caching: caching)
    self.cursor = cursor
    try mapping { () throws(TableError) in
      if isReverse { try cursor.seekToLast() } else { try cursor.seekToFirst() }
    }
    try settle(cursor)
  }
}
