import Bytes
import Table

/// A record in a memtable's arena: version u64, value length u32, key length u16, kind u8, one byte unused, key, value.
///
/// SAFETY: `base` points at such a record, written whole by `write` before anyone else sees it and never changed; it
/// lives as long as the arena.
struct MemtableRecord {
  let base: UnsafeRawPointer

  private static let headerBytes = 16

  @inline(__always) var version: Version { Version(rawValue: base.load(as: UInt64.self)) }

  @inline(__always) var key: UnsafeRawBufferPointer {
    UnsafeRawBufferPointer(
      start: base + Self.headerBytes, count: Int(base.load(fromByteOffset: 12, as: UInt16.self)))
  }

  @inline(__always) var view: RecordView {
    let key = key
    let value = UnsafeRawBufferPointer(
      start: base + Self.headerBytes + key.count, count: Int(base.load(fromByteOffset: 8, as: UInt32.self)))
    let kind: Record.Kind = base.load(fromByteOffset: 14, as: UInt8.self) == 0 ? .tombstone : .value
    return RecordView(key: key, value: value, version: version, kind: kind)
  }

  /// Whether the record comes before (key, version) in record order.
  @inline(__always)
  func precedes(_ key: UnsafeRawBufferPointer, _ version: Version) -> Bool {
    RecordOrder.compare(self.key, self.version, key, version) < 0
  }

  /// Copies a record into an arena.
  static func write(_ record: RecordView, into arena: inout Arena) -> MemtableRecord {
    let base = arena.allocate(headerBytes + record.key.count + record.value.count)
    base.storeBytes(of: record.version.rawValue, as: UInt64.self)
    base.storeBytes(of: UInt32(record.value.count), toByteOffset: 8, as: UInt32.self)
    base.storeBytes(of: UInt16(record.key.count), toByteOffset: 12, as: UInt16.self)
    base.storeBytes(of: record.kind.rawValue, toByteOffset: 14, as: UInt8.self)
    if let key = record.key.baseAddress { (base + headerBytes).copyMemory(from: key, byteCount: record.key.count) }
    if let value = record.value.baseAddress {
      (base + headerBytes + record.key.count).copyMemory(from: value, byteCount: record.value.count)
    }
    return MemtableRecord(base: base)
  }
}
