public import Bytes

/// A record of a range, lent.
///
/// SAFETY: key and value are valid until the stream that lends it is asked for the next.
public struct RangeView {
  /// The key that was written.
  public let key: UnsafeRawBufferPointer
  /// The value; empty for a tombstone.
  public let value: UnsafeRawBufferPointer
  /// The version of the write.
  public let version: Version
  /// Whether it put or deleted.
  public let kind: Record.Kind
  /// The version that replaced the record; `Version.max` where none is known, or none was asked for.
  public let to: Version

  /// The record, copied.
  public var record: Record {
    Record(key: Key(Array(key)), version: version, kind: kind, value: Array(value))
  }
}

/// The records of one answer, in the bytes in which they came: none is copied out before somebody wants it.
///
/// SAFETY: it owns `memory`, which does not change after `init`, and in which all items lie, since `ByteReader` has found
/// them there. What it lends is valid as long as it is.
final class RangePart {
  private struct Item {
    let version: Version
    let to: Version
    let key: Range<UInt32>
    let value: Range<UInt32>
    let kind: Record.Kind
  }

  private let memory: UnsafeMutableRawBufferPointer
  private let items: [Item]

  /// No records.
  init() {
    memory = .allocate(byteCount: 0, alignment: 1)
    items = []
  }

  /// Records as `Record` encodes them or, with `hasEnds`, `Lifespan`.
  init(_ bytes: [UInt8], hasEnds: Bool) throws(ByteError) {
    var items: [Item] = []
    var reader = ByteReader(bytes)
    while !reader.isAtEnd {
      let header = try Record.Header(from: &reader)
      let key = try reader.range(header.keyBytes)
      let value = try reader.range(header.valueBytes)
      let to = hasEnds ? try Lifespan.end(of: header.version, from: &reader) : .max
      // A guess: others take about as much as the first.
      if items.isEmpty { items.reserveCapacity(bytes.count / reader.offset + 1) }
      items.append(
        Item(
          version: header.version, to: to, key: UInt32(key.lowerBound)..<UInt32(key.upperBound),
          value: UInt32(value.lowerBound)..<UInt32(value.upperBound), kind: header.kind))
    }
    self.items = items
    memory = .allocate(byteCount: bytes.count, alignment: 8)
    memory.copyBytes(from: bytes)
  }

  deinit { memory.deallocate() }

  /// The number of records.
  var count: Int { items.count }

  /// A record, lent.
  subscript(place: Int) -> RangeView {
    let item = items[place]
    return RangeView(
      key: bytes(item.key), value: bytes(item.value), version: item.version, kind: item.kind, to: item.to)
  }

  /// A record's key, lent.
  func key(_ place: Int) -> UnsafeRawBufferPointer { bytes(items[place].key) }

  private func bytes(_ range: Range<UInt32>) -> UnsafeRawBufferPointer {
    UnsafeRawBufferPointer(rebasing: memory[Int(range.lowerBound)..<Int(range.upperBound)])
  }
}
