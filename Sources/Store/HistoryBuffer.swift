import Bytes
import Table

/// Collects records on their way to history, in record order, and writes them as tables whose runs are the groups that
/// `Lifetime` makes of them. Holds at most `StoreOptions.historyBufferBytes`, and one record beyond.
///
/// SAFETY: an item's start and lengths are those with which it was appended to `content`, which is not touched while the items
/// are written.
final class HistoryBuffer {
  private struct Item {
    let start: Int
    let keyCount: Int32
    let valueCount: Int32
    let version: Version
    let span: UInt64
    /// First the bucket, then, once groups are made, the group.
    var place: UInt64
    let lifetime: Int32
    let order: Int32

    var bytes: Int { Int(keyCount) + Int(valueCount) + 24 }
  }

  private let maker: TableMaker
  private let content = GrowingBytes(capacity: 1 << 10)
  private var items: [Item] = []

  init(_ maker: TableMaker) {
    self.maker = maker
  }

  /// Takes a record that was replaced at `to`.
  func add(_ record: RecordView, to: Version) throws(StoreError) {
    if content.count + items.count * MemoryLayout<Item>.stride >= maker.options.historyBufferBytes { try flush() }
    let span = to.rawValue - record.version.rawValue
    let lifetime = Lifetime.classOf(span: span)
    items.append(
      Item(
        start: content.count, keyCount: Int32(record.key.count), valueCount: Int32(record.value.count),
        version: record.version, span: span, place: Lifetime.bucket(of: to, class: lifetime),
        lifetime: Int32(lifetime), order: Int32(items.count)))
    content.append(record.key)
    content.append(record.value)
  }

  /// Writes what was collected as a table.
  func flush() throws(StoreError) {
    guard !items.isEmpty else { return }
    group()
    let draft = try maker.begin(.history, level: 0)
    let bytes = content.bytes
    var last = items[0].place
    for item in items {
      let keyEnd = item.start + Int(item.keyCount)
      let view = RecordView(
        key: UnsafeRawBufferPointer(rebasing: bytes[item.start..<keyEnd]),
        value: UnsafeRawBufferPointer(rebasing: bytes[keyEnd..<keyEnd + Int(item.valueCount)]),
        version: item.version, kind: .value, span: item.span)
      do throws(TableError) {
        if item.place != last { try draft.writer.endRun() }
        try draft.writer.add(view)
      } catch {
        throw StoreError(error)
      }
      last = item.place
    }
    try maker.finish(draft)
    items.removeAll(keepingCapacity: true)
    content.removeAll()
  }

  /// Sorts the records by group, and in a group as they came, which is record order. Neighbouring buckets of a class
  /// share a group as long as that is small.
  private func group() {
    items.sort {
      $0.lifetime != $1.lifetime
        ? $0.lifetime < $1.lifetime : $0.place != $1.place ? $0.place < $1.place : $0.order < $1.order
    }
    var group: UInt64 = 0
    var bytes = 0
    var previous = (lifetime: items[0].lifetime, bucket: items[0].place)
    var isMixed = false
    for at in items.indices {
      let item = items[at]
      if item.lifetime != previous.lifetime || item.place != previous.bucket {
        if item.lifetime != previous.lifetime || bytes >= maker.options.historyRunBytes {
          group += 1
          bytes = 0
        } else {
          isMixed = true
        }
        previous = (item.lifetime, item.place)
      }
      bytes += item.bytes
      items[at].place = group
    }
    if isMixed { items.sort { $0.place != $1.place ? $0.place < $1.place : $0.order < $1.order } }
  }
}
