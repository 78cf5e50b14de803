import Bytes

/// One entry of a block, where it lies.
struct BlockEntry {
  /// The key's leading bytes that are those of the entry before.
  let shared: Int
  /// The rest of the key.
  let suffix: UnsafeRawBufferPointer
  let value: UnsafeRawBufferPointer
  let version: Version
  let kind: Record.Kind
  /// The offset of the entry.
  let offset: Int
  /// The offset behind the entry.
  let end: Int
}

/// The entries of a block's payload.
///
/// SAFETY: it borrows the payload of a `Block` whose entries `firstFault` found whole, and must not outlive it. So all
/// offsets that entries and restart points name lie within the payload.
struct BlockEntries {
  private let base: UnsafeRawPointer
  /// The offset behind the last entry, where the restart points begin.
  let end: Int
  /// The number of restart points.
  let restartCount: Int

  /// The entries of a payload in which `firstFault` finds none.
  init(validated payload: UnsafeRawBufferPointer) {
    let count = Int(payload.loadUnaligned(fromByteOffset: payload.count - 4, as: UInt32.self).littleEndian)
    restartCount = count
    end = payload.count - 4 - 4 * count
    // A validated payload has at least four bytes, hence a base address.
    base = payload.baseAddress.unsafelyUnwrapped
  }

  /// The offset of a restart point.
  func restart(_ index: Int) -> Int {
    Int(base.loadUnaligned(fromByteOffset: end &+ 4 &* index, as: UInt32.self).littleEndian)
  }

  /// The entry at an offset below `end`, where one begins.
  @inline(__always)
  func entry(at offset: Int) -> BlockEntry {
    var at = offset &+ 1
    let kind: Record.Kind = base.load(fromByteOffset: offset, as: UInt8.self) == 0 ? .tombstone : .value
    let shared = varint(&at)
    let unshared = varint(&at)
    let valueLength = varint(&at)
    let version = base.loadUnaligned(fromByteOffset: at, as: UInt64.self).littleEndian
    at &+= 8
    let suffix = UnsafeRawBufferPointer(start: base + at, count: unshared)
    at &+= unshared
    let value = UnsafeRawBufferPointer(start: base + at, count: valueLength)
    return BlockEntry(
      shared: shared, suffix: suffix, value: value, version: Version(rawValue: version), kind: kind,
      offset: offset, end: at &+ valueLength)
  }

  @inline(__always)
  private func varint(_ at: inout Int) -> Int {
    var byte = base.load(fromByteOffset: at, as: UInt8.self)
    at &+= 1
    if byte < 0x80 { return Int(byte) }
    var value = Int(byte & 0x7f)
    var shift = 7
    repeat {
      byte = base.load(fromByteOffset: at, as: UInt8.self)
      at &+= 1
      value |= Int(byte & 0x7f) &<< shift
      shift &+= 7
    } while byte >= 0x80
    return value
  }

  /// The first entry at or after (key, version), or nil if all come before. Its `shared` bytes are the target's.
  ///
  /// A binary search over the restart points, then a walk that compares only where the prefixes leave something open:
  /// an entry that shares more with its predecessor than the predecessor with the target still comes before the
  /// target, one that shares less comes after it.
  func first(atOrAfter key: UnsafeRawBufferPointer, _ version: Version) -> BlockEntry? {
    guard restartCount > 0 else { return nil }
    var low = 0
    var high = restartCount - 1
    while low < high {
      let middle = (low + high + 1) / 2
      let candidate = entry(at: restart(middle))
      if RecordOrder.compare(candidate.suffix, candidate.version, key, version) < 0 {
        low = middle
      } else {
        high = middle - 1
      }
    }
    var at = restart(low)
    var matched = 0
    while at < end {
      let entry = entry(at: at)
      if entry.shared < matched { return entry }
      if entry.shared == matched {
        let common = matched + commonPrefix(entry.suffix, key, from: matched)
        let length = matched + entry.suffix.count
        if common == key.count {
          if common < length || entry.version <= version { return entry }
        } else if common < length, entry.suffix[common - matched] > key[common] {
          return entry
        }
        matched = common
      }
      at = entry.end
    }
    return nil
  }

  @inline(__always)
  private func commonPrefix(_ suffix: UnsafeRawBufferPointer, _ key: UnsafeRawBufferPointer, from: Int) -> Int {
    guard let left = suffix.baseAddress, let right = key.baseAddress else { return 0 }
    return RecordOrder.commonPrefix(left, right + from, limit: min(suffix.count, key.count - from))
  }

  /// The index of the last restart point below an offset above 0.
  func restartIndex(before offset: Int) -> Int {
    var low = 0
    var high = restartCount - 1
    while low < high {
      let middle = (low + high + 1) / 2
      if restart(middle) < offset { low = middle } else { high = middle - 1 }
    }
    return low
  }
}
