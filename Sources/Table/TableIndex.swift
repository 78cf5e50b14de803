import Bytes

/// A table's index in memory: for each data block a separator, at or after the block's last record and before the next
/// block's first, in a form that a search reads with few cache misses.
///
/// SAFETY: a separator's start and length are those with which its key was appended to `keys`; the buffers are lent by
/// arrays for the duration of a call; `commonBytes` is at most the length of every separator, since they are ordered.
struct TableIndex: Sendable {
  private var words: [UInt64] = []
  private var separators: [Separator] = []
  private var keys: [UInt8] = []
  /// The number of leading bytes that all separators have in common; `words` hold what follows.
  private var commonBytes = 0

  private struct Separator {
    let keyStart: UInt32
    let keyCount: UInt32
    let version: Version
    let handle: BlockHandle
  }

  /// The number of data blocks.
  var count: Int { separators.count }

  /// The bytes that the index takes in memory, about.
  var cost: Int { keys.capacity + words.capacity * 8 + separators.capacity * MemoryLayout<Separator>.stride }

  /// Appends a data block. False if the separator isn't after the one before.
  mutating func append(key: UnsafeRawBufferPointer, version: Version, handle: BlockHandle) -> Bool {
    if let last = separators.last {
      let isAscending = keys.withRawBytes {
        RecordOrder.compare(slice($0, last), last.version, key, version) < 0
      }
      guard isAscending else { return false }
    }
    separators.append(
      Separator(keyStart: UInt32(keys.count), keyCount: UInt32(key.count), version: version, handle: handle))
    keys.append(contentsOf: key)
    return true
  }

  /// Must follow the last `append`.
  mutating func seal() {
    guard let first = separators.first, let last = separators.last else { return }
    keys.withRawBytes { all in
      let left = slice(all, first)
      let right = slice(all, last)
      if let l = left.baseAddress, let r = right.baseAddress {
        commonBytes = RecordOrder.commonPrefix(l, r, limit: min(left.count, right.count))
      }
      words = separators.map { RecordOrder.word(UnsafeRawBufferPointer(rebasing: slice(all, $0)[commonBytes...])) }
    }
  }

  private func slice(_ all: UnsafeRawBufferPointer, _ separator: Separator) -> UnsafeRawBufferPointer {
    let start = Int(separator.keyStart)
    return UnsafeRawBufferPointer(rebasing: all[start..<start + Int(separator.keyCount)])
  }

  /// The key that parts a data block from the next.
  func separator(_ index: Int) -> Key { Key(keys.withRawBytes { Array(slice($0, separators[index])) }) }

  /// How the key that parts a data block from the next compares to another: what is behind it is at or after it, what
  /// is before it at or before.
  func compareSeparator(_ index: Int, _ key: Key) -> Int {
    keys.withRawBytes { all in
      key.bytes.withRawBytes { compareBytes(slice(all, separators[index]), $0) }
    }
  }

  /// Where a data block lies.
  func handle(_ index: Int) -> BlockHandle { separators[index].handle }

  /// The index of the first block whose separator is at or after (key, version): the only one that can hold the first
  /// record at or after it, unless all the block's records come before. `count` if there is none.
  func first(atOrAfter key: UnsafeRawBufferPointer, _ version: Version) -> Int {
    guard let first = separators.first else { return 0 }
    return keys.withRawBytes { all in
      let prefix = UnsafeRawBufferPointer(rebasing: slice(all, first)[..<commonBytes])
      let head = UnsafeRawBufferPointer(rebasing: key[..<min(key.count, commonBytes)])
      let order = compareBytes(head, prefix)
      if order != 0 { return order < 0 ? 0 : count }
      let word = RecordOrder.word(UnsafeRawBufferPointer(rebasing: key[commonBytes...]))
      return words.withUnsafeBufferPointer { words in
        var low = 0
        var high = words.count
        while low < high {
          let middle = (low &+ high) / 2
          let isBefore =
            words[middle] == word
            ? RecordOrder.compare(slice(all, separators[middle]), separators[middle].version, key, version) < 0
            : words[middle] < word
          if isBefore { low = middle &+ 1 } else { high = middle }
        }
        return low
      }
    }
  }
}
