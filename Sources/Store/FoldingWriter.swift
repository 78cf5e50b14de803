import Bytes
import Table

/// Takes current records in order and folds each key's into one: the newest stays current and learns since when it knows of
/// the key; each older value goes to history with the version that replaced it; older tombstones leave but the gap
/// (DESIGN §6).
///
/// SAFETY: records are lent for the duration of a call; key and value of the pending one are copies.
final class FoldingWriter {
  private let maker: TableMaker
  private let level: Int
  /// The bytes at which another table is begun, at the next key.
  private let cutBytes: UInt64
  private let retention: Retention
  /// Whether an older record of a key may lie outside of what is folded.
  private let mayBeElsewhere: (UnsafeRawBufferPointer) -> Bool
  private let history: HistoryBuffer
  private var table: TableMaker.Draft?
  /// The sum over the records that were left out.
  private(set) var dropped = RecordDigest.zero

  /// The newest record of the key under way, if there is one.
  private var pending: (version: Version, since: Version, kind: Record.Kind, word: UInt64)?
  private let key = GrowingBytes(capacity: 64)
  private let value = GrowingBytes(capacity: 256)

  init(
    _ maker: TableMaker, level: Int, cutBytes: UInt64, retention: Retention,
    mayBeElsewhere: @escaping (UnsafeRawBufferPointer) -> Bool
  ) {
    self.maker = maker
    self.level = level
    self.cutBytes = cutBytes
    self.retention = retention
    self.mayBeElsewhere = mayBeElsewhere
    history = HistoryBuffer(maker)
  }

  /// Takes the next record, which is copied.
  func add(_ record: RecordView) throws(StoreError) {
    let word = RecordOrder.word(record.key)
    if let newest = pending, newest.word == word, compareBytes(key.bytes, record.key) == 0 {
      try fold(record, into: newest)
    } else {
      try emit()
      key.replace(record.key, from: 0)
      value.replace(record.value, from: 0)
      pending = (record.version, record.since, record.kind, word)
    }
  }

  private func fold(
    _ record: RecordView, into newest: (version: Version, since: Version, kind: Record.Kind, word: UInt64)
  ) throws(StoreError) {
    if record.version == newest.version {
      // The same write, applied again after a crash: what came later stays.
      dropped.add(record)
    } else if record.version >= newest.since {
      throw .corrupt(
        path: maker.begun.last ?? "", offset: 0,
        expected: "a record of \(Escaping.text(Array(record.key))) older than "
          + "\(newest.since)", found: "\(record.version)")
    } else if record.kind == .value, retention.holds(from: record.version, to: newest.since) {
      try history.add(record, to: newest.since)
    } else {
      dropped.add(record)
    }
    pending?.since = min(newest.since, record.since)
  }

  /// Writes the record of the key that is complete.
  private func emit() throws(StoreError) {
    guard let newest = pending else { return }
    let record = RecordView(
      key: key.bytes, value: value.bytes, version: newest.version, kind: newest.kind,
      span: newest.version.rawValue - newest.since.rawValue)
    pending = nil
    if record.kind == .tombstone, !mayBeElsewhere(record.key) { return dropped.add(record) }
    if let open = table, open.writer.fileBytes >= cutBytes {
      try maker.finish(open)
      table = nil
    }
    let open: TableMaker.Draft
    if let table { open = table } else { open = try maker.begin(.current, level: level) }
    table = open
    do throws(TableError) { try open.writer.add(record) } catch { throw StoreError(error) }
  }

  /// Ends all tables.
  func finish() throws(StoreError) {
    try emit()
    if let table { try maker.finish(table) }
    table = nil
    try history.flush()
  }
}
