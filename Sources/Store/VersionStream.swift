import Bytes
import Table

/// Every write of every key that the store still knows, in record order, as if nothing had ever been folded: current
/// records, history, and for each gap in history the tombstone that left it.
///
/// SAFETY: what `peek` lends is the merge's, which stands still until `peek` is called after `skip`; `key` is a copy.
final class VersionStream {
  private let merge: MergeCursor
  /// Whether the record on which the merge stands was shown, or only the gap before it.
  private var isShown = false
  private var isGapShown = false
  /// The last record of the key under way: its version, and the oldest that is folded into the last current one.
  private var last: (version: Version, since: Version)?
  private let key = GrowingBytes(capacity: 64)

  /// A stream over sources, the youngest first, that begins with the records of a key, or with the first of all.
  init(_ sources: [RecordSource], from start: Key? = nil) throws(StoreError) {
    merge = MergeCursor(sources, isReverse: false)
    if let start {
      try start.bytes.withRawBytes { (bytes) throws(StoreError) in try merge.seek(bytes, .max) }
    } else {
      try merge.seek(nil, .max)
    }
  }

  /// The oldest version that is folded into the current records of the key under way that were passed; nil where none was.
  var foldedSince: Version? { last?.since }

  /// The next record, valid until the stream moves; nil after the last. Looking doesn't move.
  func peek() throws(StoreError) -> RecordView? {
    while true {
      if isShown {
        try merge.advance()
        (isShown, isGapShown) = (false, false)
      }
      guard merge.isValid else { return nil }
      let view = merge.view
      if last != nil, compareBytes(view.key, key.bytes) != 0 { last = nil }
      if last?.version == view.version {
        // The same write, applied again after a crash.
        isShown = true
        continue
      }
      guard !isGapShown, let gap = gap(before: view) else { return view }
      return RecordView(
        key: view.key, value: UnsafeRawBufferPointer(start: nil, count: 0), version: gap, kind: .tombstone)
    }
  }

  /// Moves past the record that `peek` gave.
  func skip() {
    let view = merge.view
    if !isGapShown, gap(before: view) != nil {
      isGapShown = true
      return
    }
    if last == nil { key.replace(view.key, from: 0) }
    last = (view.version, merge.tier == .current ? view.since : last?.since ?? view.version)
    isShown = true
  }

  /// The version of a tombstone between a record and the newer one before it, if history has a gap there.
  private func gap(before view: RecordView) -> Version? {
    guard let last else { return merge.tier == .history ? view.to : nil }
    let end = merge.tier == .history ? view.to : last.since
    return end < last.version ? end : nil
  }
}
