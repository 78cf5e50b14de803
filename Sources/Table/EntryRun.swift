import Bytes

/// The entries from a restart point up to a cursor's place, decoded once so that the cursor can walk them backwards.
///
/// At most `TableFormat.maximumRestartInterval` entries, so its memory is bounded by so many keys.
///
/// SAFETY: the values point into the cursor's block, which the cursor holds until it clears the run; keys are ranges of
/// `keys` as it was when they were appended.
final class EntryRun {
  private struct Item {
    let keyStart: Int
    let keyCount: Int
    let value: UnsafeRawBufferPointer
    let version: Version
    let kind: Record.Kind
    let span: UInt64
    let start: Int
    let end: Int
  }

  private var items: [Item] = []
  private let keys = GrowingBytes(capacity: 64)
  /// Whether the cursor walks this run. Looked at in each step, hence without a check of exclusivity at run time.
  @exclusivity(unchecked) private(set) var isActive = false

  /// Whether the walk has reached the run's beginning.
  var isEmpty: Bool { items.isEmpty }

  func clear() {
    guard isActive else { return }
    isActive = false
    items.removeAll(keepingCapacity: true)
  }

  /// Decodes the entries from a restart point to an offset behind it.
  func fill(_ entries: BlockEntries, from start: Int, to end: Int) {
    items.removeAll(keepingCapacity: true)
    keys.removeAll()
    isActive = true
    var lastKey = 0
    var at = start
    while at < end {
      let entry = entries.entry(at: at)
      let keyStart = keys.count
      keys.append(entries.prefix)
      keys.appendOwn(from: lastKey + entries.prefix.count, count: entry.shared)
      keys.append(entry.suffix)
      items.append(
        Item(
          keyStart: keyStart, keyCount: keys.count - keyStart, value: entry.value, version: entry.version,
          kind: entry.kind, span: entry.span, start: entry.offset, end: entry.end))
      lastKey = keyStart
      at = entry.end
    }
  }

  /// The last entry, with its place in the block. Its key stays valid until the next `fill`.
  func removeLast() -> (view: RecordView, start: Int, end: Int) {
    let item = items.removeLast()
    let key = UnsafeRawBufferPointer(rebasing: keys.bytes[item.keyStart..<item.keyStart + item.keyCount])
    let view = RecordView(key: key, value: item.value, version: item.version, kind: item.kind, span: item.span)
    return (view, item.start, item.end)
  }
}
