import Bytes

/// Builds the payload of a data or index block: prefix-compressed entries in record order, then what a search needs to
/// begin among them. See kv-sstable(5).
///
/// Records are collected first and encoded by `finish`, when the prefix that all keys share is known.
///
/// SAFETY: a record's bytes are lent for the call of `add`, which copies them; all offsets into `content` come from the
/// lengths of what was appended to it.
final class BlockBuilder {
  private struct Item {
    let keyCount: Int
    let shared: Int
    let isRestart: Bool
    let valueCount: Int
    let version: Version
    let kind: Record.Kind
    let span: UInt64
  }

  /// The bytes of entries from one restart point to the next, about, beyond which a search would bring in more of the block
  /// than it needs.
  private static let restartBytes = 512

  private let restartInterval: Int
  /// The items since the last restart point, and their bytes.
  private var sinceRestart = (items: 0, bytes: 0)
  private var items: [Item] = []
  /// The keys and values of the items, one after the other.
  private let content: GrowingBytes
  private let payload: GrowingBytes
  private var restarts: [(word: UInt64, offset: UInt32)] = []
  private var bound = 0

  init(blockBytes: Int, restartInterval: Int) {
    self.restartInterval = restartInterval
    content = GrowingBytes(capacity: blockBytes)
    payload = GrowingBytes(capacity: blockBytes)
  }

  /// Whether nothing was added since the last `finish`.
  var isEmpty: Bool { items.isEmpty }
  /// An upper bound of the payload's bytes if the block were finished now.
  var payloadBytes: Int { bound + BlockTrailer.fixedBytes }

  /// An upper bound of what a record adds to the payload.
  static func bound(key: Int, value: Int) -> Int { key + value + 9 + 2 + 2 + 4 + 10 + BlockTrailer.restartBytes }

  /// Appends an entry. `shared` is the number of leading bytes that the key has in common with the one before.
  func add(_ record: RecordView, shared: Int) {
    let isRestart =
      items.isEmpty || sinceRestart.items == restartInterval || sinceRestart.bytes >= Self.restartBytes
    if isRestart { sinceRestart = (0, 0) }
    sinceRestart.items += 1
    sinceRestart.bytes += record.key.count + record.value.count
    let shared = isRestart ? 0 : shared
    bound += Self.bound(key: record.key.count - shared, value: record.value.count)
    if !isRestart { bound -= BlockTrailer.restartBytes }
    items.append(
      Item(
        keyCount: record.key.count, shared: shared, isRestart: isRestart, valueCount: record.value.count,
        version: record.version, kind: record.kind, span: record.span))
    content.append(record.key)
    content.append(record.value)
  }

  /// Closes the block and lends its payload; the builder is empty afterwards.
  func finish<Result, Failure: Error>(
    _ body: (UnsafeRawBufferPointer) throws(Failure) -> Result
  ) throws(Failure) -> Result {
    let prefix = commonPrefix()
    encodeEntries(prefix: prefix)
    for restart in restarts { payload.append(u64: restart.word) }
    for restart in restarts { payload.append(u32: restart.offset) }
    payload.append(UnsafeRawBufferPointer(rebasing: content.bytes[..<prefix]))
    payload.append(u16: UInt16(prefix))
    payload.append(u32: UInt32(restarts.count))
    defer {
      items.removeAll(keepingCapacity: true)
      restarts.removeAll(keepingCapacity: true)
      content.removeAll()
      payload.removeAll()
      bound = 0
    }
    return try body(payload.bytes)
  }

  /// The leading bytes that all keys have in common: those of the first and the last.
  private func commonPrefix() -> Int {
    guard let first = items.first, let last = items.last, let base = content.bytes.baseAddress else { return 0 }
    let lastStart = content.count - last.valueCount - last.keyCount
    return RecordOrder.commonPrefix(base, base + lastStart, limit: min(first.keyCount, last.keyCount))
  }

  private func encodeEntries(prefix: Int) {
    let content = content.bytes
    var at = 0
    for item in items {
      var shared = item.shared - prefix
      if item.isRestart {
        let key = UnsafeRawBufferPointer(rebasing: content[at + prefix..<at + item.keyCount])
        restarts.append((RecordOrder.word(key), UInt32(payload.count)))
        shared = 0
      }
      payload.append(u8: item.kind.rawValue | (item.span > 0 ? TableFormat.spanFlag : 0))
      payload.append(varint: shared)
      payload.append(varint: item.keyCount - prefix - shared)
      payload.append(varint: item.valueCount)
      payload.append(u64: item.version.rawValue)
      if item.span > 0 { payload.append(varint: item.span) }
      let start = at + prefix + shared
      at += item.keyCount + item.valueCount
      payload.append(UnsafeRawBufferPointer(rebasing: content[start..<at]))
    }
  }
}
