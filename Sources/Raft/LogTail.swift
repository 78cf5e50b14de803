import Bytes

/// The part of the log that is in memory: all entries after the compacted ones. Terms never decrease along it.
struct LogTail: Sendable {
  /// The last compacted entry; (0, 0) if none was.
  private(set) var base: (index: LogIndex, term: Term)
  /// Entries, of which the first `head` are compacted and blank: removing them waits until it is worth the move.
  private var storage: [LogEntry]
  private var head = 0
  /// The encoded bytes of the entries.
  private(set) var bytes: Int

  private static let blank = LogEntry(term: .zero, index: .zero, payload: [])

  init(base: (index: LogIndex, term: Term), entries: [LogEntry]) {
    self.base = base
    storage = entries
    bytes = entries.reduce(0) { $0 + $1.encodedBytes }
    var last = base
    for entry in entries {
      precondition(entry.index == last.index.next && entry.term >= last.term, "the log has a gap")
      last = (entry.index, entry.term)
    }
  }

  var count: Int { storage.count - head }
  var firstIndex: LogIndex { base.index.next }
  var lastIndex: LogIndex { base.index + count }
  var lastTerm: Term { count == 0 ? base.term : storage[storage.count - 1].term }

  /// The term of an entry; nil where it is compacted or not there yet.
  func term(at index: LogIndex) -> Term? {
    if index == base.index { return base.term }
    guard index > base.index, index <= lastIndex else { return nil }
    return storage[position(index)].term
  }

  /// An entry; nil where it is compacted or not there yet.
  func entry(at index: LogIndex) -> LogEntry? {
    index > base.index && index <= lastIndex ? storage[position(index)] : nil
  }

  /// Whether the log has this very entry.
  func matches(_ index: LogIndex, _ term: Term) -> Bool { self.term(at: index) == term }

  private func position(_ index: LogIndex) -> Int { head + (index - base.index) - 1 }

  /// The entries from `first` to `last`, cut before `maxBytes` is exceeded but never before the first entry.
  func slice(from first: LogIndex, through last: LogIndex, maxBytes: Int = .max) -> [LogEntry] {
    guard first <= last else { return [] }
    precondition(first > base.index && last <= lastIndex, "entries that are not in memory")
    let start = position(first)
    let stop = position(last) + 1
    guard maxBytes < bytes else { return Array(storage[start..<stop]) }
    var size = storage[start].encodedBytes
    var end = start + 1
    while end < stop, size + storage[end].encodedBytes <= maxBytes {
      size += storage[end].encodedBytes
      end += 1
    }
    return Array(storage[start..<end])
  }

  /// The payload bytes of a range of entries.
  func payloadBytes(from first: LogIndex, through last: LogIndex) -> Int {
    guard first <= last else { return 0 }
    var sum = 0
    for at in position(first)...position(last) { sum += storage[at].payload.count }
    return sum
  }

  /// Whether a range of entries has a membership change.
  func hasMembershipChange(from first: LogIndex, through last: LogIndex) -> Bool {
    first <= last && storage[position(first)...position(last)].contains { $0.kind == .membership }
  }

  /// The last index, not above `index`, whose term is not above `term`: where a log with these could still match.
  /// The term is nil where that entry is compacted away.
  func lastPossibleMatch(index: LogIndex, term: Term) -> (index: LogIndex, term: Term?) {
    guard index >= base.index else { return (index, nil) }
    guard base.term <= term else { return (base.index.previous, nil) }
    var low = base.index
    var high = min(index, lastIndex)
    while low < high {
      let middle = low + (high - low + 1) / 2
      if storage[position(middle)].term <= term { low = middle } else { high = middle.previous }
    }
    return (low, self.term(at: low))
  }
}

extension LogTail {
  /// Appends one entry that follows the last.
  mutating func append(_ entry: LogEntry) {
    precondition(entry.index == lastIndex.next && entry.term >= lastTerm, "an entry out of order")
    bytes += entry.encodedBytes
    storage.append(entry)
  }

  /// Removes the entry at `index` and all after it.
  mutating func truncate(from index: LogIndex) {
    precondition(index > base.index, "a compacted entry can't be replaced")
    guard index <= lastIndex else { return }
    let start = position(index)
    for at in start..<storage.count { bytes -= storage[at].encodedBytes }
    storage.removeSubrange(start...)
  }

  /// Forgets the entries up to `index`.
  mutating func compact(through index: LogIndex) {
    guard index > base.index, let term = term(at: index) else { return }
    let end = position(index) + 1
    for at in head..<end {
      bytes -= storage[at].encodedBytes
      storage[at] = LogTail.blank
    }
    head = end
    base = (index, term)
    if head * 2 >= storage.count {
      storage.removeSubrange(..<head)
      head = 0
    }
  }

  /// Starts anew after a snapshot.
  mutating func reset(to base: (index: LogIndex, term: Term)) {
    self = LogTail(base: base, entries: [])
  }

  /// The first index of which no more than `limit` bytes of entries follow.
  func index(leaving limit: Int) -> LogIndex {
    var rest = bytes
    var index = base.index
    while rest > limit {
      rest -= storage[position(index.next)].encodedBytes
      index = index.next
    }
    return index
  }
}
