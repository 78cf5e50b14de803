import Bytes

/// The entries of a group while its log is read, with holes where they can't be.
struct EntrySlots {
  /// The most entries that a hole is kept for; a larger one is a loss of records.
  static let longestHole = 1 << 20

  /// The index of the first slot.
  private(set) var first = LogIndex.zero
  private var slots: [LogEntry?] = []

  /// The entries up to the first hole that follow an index; nil where the slots don't reach down to it.
  func entries(after floor: LogIndex) -> [LogEntry]? {
    guard !slots.isEmpty else { return [] }
    guard first == floor.next else { return nil }
    return Array(slots.prefix { $0 != nil }.compactMap { $0 })
  }

  /// Puts entries, or a hole, from an index to another, and voids what was there and later.
  /// - Returns: false if that leaves a hole too long to be kept.
  mutating func put(_ start: LogIndex, through end: LogIndex, _ entries: [LogEntry]?) -> Bool {
    guard end - start < EntrySlots.longestHole || entries != nil else { return restart(start) }
    if slots.isEmpty || start <= first {
      slots.removeAll(keepingCapacity: true)
      first = start
    }
    let missing = start - first - slots.count
    if missing > EntrySlots.longestHole { return restart(start) }
    if missing < 0 { slots.removeLast(-missing) }
    if missing > 0 { slots.append(contentsOf: repeatElement(nil, count: missing)) }
    if let entries {
      slots.append(contentsOf: entries)
    } else {
      slots.append(contentsOf: repeatElement(nil, count: end - start + 1))
    }
    return true
  }

  private mutating func restart(_ start: LogIndex) -> Bool {
    slots.removeAll()
    first = start
    return false
  }

  mutating func drop(through index: LogIndex) {
    guard !slots.isEmpty, index >= first else { return }
    slots.removeFirst(min(slots.count, index - first + 1))
    first = index.next
  }

  mutating func removeAll() { slots.removeAll() }
}
