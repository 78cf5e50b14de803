import Bytes

extension Block {
  /// Lends every record of a data block, in order, and says whether it is the block's first or last.
  ///
  /// SAFETY: views are valid for the duration of a call; the block is held until after the last.
  func forEachRecord(
    _ body: (_ record: RecordView, _ isAtEdge: Bool) throws(TableError) -> Void
  ) throws(TableError) {
    let entries = entries
    let key = GrowingBytes(capacity: 64)
    key.append(entries.prefix)
    var at = 0
    while at < entries.end {
      let entry = entries.entry(at: at)
      key.replaceTail(from: entries.prefix.count + entry.shared, with: entry.suffix)
      try body(
        RecordView(key: key.bytes, value: entry.value, version: entry.version, kind: entry.kind, span: entry.span),
        at == 0 || entry.end == entries.end)
      at = entry.end
    }
    withExtendedLifetime(self) {}
  }
}
