import Bytes

/// One entry of a block, where it lies.
struct BlockEntry {
  /// The key's bytes, behind the block's prefix, that are those of the entry before.
  let shared: Int
  /// The rest of the key.
  let suffix: UnsafeRawBufferPointer
  let value: UnsafeRawBufferPointer
  let version: Version
  let kind: Record.Kind
  let span: UInt64
  /// The offset of the entry.
  let offset: Int
  /// The offset behind the entry.
  let end: Int
}

/// The entries of a block's payload.
///
/// SAFETY: it borrows the payload of a `Block` in which `firstFault` found nothing, and the block's copy of the trailer, and
/// must not outlive it. So all offsets that entries and restart points name lie within the payload.
struct BlockEntries {
  /// The most bytes of entries that a search asks for ahead of its walk.
  private static let prefetchedBytes = 1 << 10

  private let base: UnsafeRawPointer
  private let words: UnsafeRawPointer
  private let offsets: UnsafeRawPointer
  private let restartCount: Int
  /// The offset behind the last entry.
  let end: Int
  /// What all keys begin with.
  let prefix: UnsafeRawBufferPointer

  /// The entries of a payload in which `firstFault` finds nothing, searched through a copy of its trailer.
  init(validated payload: UnsafeRawBufferPointer, trailer: BlockTrailer, copy: UnsafeRawPointer) {
    guard let base = payload.baseAddress else { preconditionFailure("a block without a trailer") }
    self.base = base
    words = copy
    offsets = copy + (trailer.offsetsStart - trailer.start)
    restartCount = trailer.restartCount
    end = trailer.start
    prefix = UnsafeRawBufferPointer(start: copy + (trailer.prefixStart - trailer.start), count: trailer.prefixCount)
  }

  private init(none: UnsafeRawPointer) {
    base = none
    words = none
    offsets = none
    restartCount = 0
    end = 0
    prefix = UnsafeRawBufferPointer(start: none, count: 0)
  }

  /// No entries. SAFETY: the pointer is never read through, since there is no offset below `end`.
  static var none: BlockEntries { BlockEntries(none: UnsafeRawPointer(bitPattern: 1).unsafelyUnwrapped) }

  @inline(__always)
  private func word(_ restart: Int) -> UInt64 {
    words.loadUnaligned(fromByteOffset: restart &* 8, as: UInt64.self).littleEndian
  }

  /// The offset of a restart point.
  @inline(__always)
  private func offset(_ restart: Int) -> Int {
    Int(offsets.loadUnaligned(fromByteOffset: restart &* 4, as: UInt32.self).littleEndian)
  }

  /// The entry at an offset below `end`, where one begins.
  @inline(__always)
  func entry(at offset: Int) -> BlockEntry {
    var at = offset &+ 1
    let flags = base.load(fromByteOffset: offset, as: UInt8.self)
    let shared = varint(&at)
    let unshared = varint(&at)
    let valueLength = varint(&at)
    let version = base.loadUnaligned(fromByteOffset: at, as: UInt64.self).littleEndian
    at &+= 8
    let span = flags & TableFormat.spanFlag == 0 ? 0 : wideVarint(&at)
    let suffix = UnsafeRawBufferPointer(start: base + at, count: unshared)
    at &+= unshared
    let value = UnsafeRawBufferPointer(start: base + at, count: valueLength)
    return BlockEntry(
      shared: shared, suffix: suffix, value: value, version: Version(rawValue: version),
      kind: flags & 1 == 0 ? .tombstone : .value, span: span, offset: offset, end: at &+ valueLength)
  }

  @inline(__always)
  private func varint(_ at: inout Int) -> Int {
    let byte = base.load(fromByteOffset: at, as: UInt8.self)
    at &+= 1
    if byte < 0x80 { return Int(byte) }
    at &-= 1
    return Int(truncatingIfNeeded: longVarint(&at))
  }

  /// A varint that mostly has several bytes. Those of up to eight are put together without a loop: the bytes up to the
  /// first without the high bit, then pairs of seven bits, of 14 and of 28.
  @inline(__always)
  private func wideVarint(_ at: inout Int) -> UInt64 {
    // SAFETY: a trailer of more than eight bytes lies behind the entries.
    let word = base.loadUnaligned(fromByteOffset: at, as: UInt64.self).littleEndian
    let ends = ~word & 0x8080_8080_8080_8080
    guard ends != 0 else { return longVarint(&at) }
    let unused = UInt64(ends.trailingZeroBitCount &+ 1)
    at &+= Int(truncatingIfNeeded: unused &>> 3)
    var value = word & (.max &>> (64 &- unused))
    value = (value & 0x7f00_7f00_7f00_7f00) &>> 1 | value & 0x007f_007f_007f_007f
    value = (value & 0x3fff_0000_3fff_0000) &>> 2 | value & 0x0000_3fff_0000_3fff
    return (value & 0x0fff_ffff_0000_0000) &>> 4 | value & 0x0000_0000_0fff_ffff
  }

  private func longVarint(_ at: inout Int) -> UInt64 {
    var value: UInt64 = 0
    var shift: UInt64 = 0
    var byte: UInt8
    repeat {
      byte = base.load(fromByteOffset: at, as: UInt8.self)
      at &+= 1
      value |= UInt64(byte & 0x7f) &<< shift
      shift &+= 7
    } while byte >= 0x80
    return value
  }

  /// Asks for bytes of entries before a walk gets there.
  @inline(__always)
  func prefetch(at offset: Int, count: Int) {
    if offset < end { Memory.prefetch(base + offset, count: min(count, end &- offset)) }
  }

  /// The newest record of a key that is not newer than a version, if the block has it.
  func newest(_ key: UnsafeRawBufferPointer, _ version: Version) -> BlockEntry? {
    guard let rest = withoutPrefix(key), let entry = first(atOrAfterRest: rest, version) else { return nil }
    guard entry.shared + entry.suffix.count == rest.count,
      commonPrefix(entry.suffix, rest, from: entry.shared) == entry.suffix.count
    else { return nil }
    return entry
  }

  /// The first entry at or after (key, version), or nil if all come before. The bytes that it shares are the key's.
  func first(atOrAfter key: UnsafeRawBufferPointer, _ version: Version) -> BlockEntry? {
    guard let rest = withoutPrefix(key) else {
      // The key comes before all that begins with the prefix, or after.
      return compareBytes(key, prefix) < 0 && end > 0 ? entry(at: 0) : nil
    }
    return first(atOrAfterRest: rest, version)
  }

  @inline(__always)
  private func withoutPrefix(_ key: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer? {
    guard key.count >= prefix.count, let left = key.baseAddress ?? prefix.baseAddress,
      let right = prefix.baseAddress,
      RecordOrder.commonPrefix(left, right, limit: prefix.count) == prefix.count
    else { return nil }
    return UnsafeRawBufferPointer(rebasing: key[prefix.count...])
  }

  /// A search among the restart points, then a walk that compares only where the prefixes leave something open: an
  /// entry that shares more with its predecessor than the predecessor with the key still comes before the key, one that
  /// shares less comes after it.
  @inline(__always)
  private func first(atOrAfterRest key: UnsafeRawBufferPointer, _ version: Version) -> BlockEntry? {
    guard restartCount > 0 else { return nil }
    let restart = firstRestart(atOrAfter: key, version)
    var at = restart == 0 ? 0 : offset(restart &- 1)
    // The walk would learn where an entry lies, and wait for it, one after the other.
    let behind = restart < restartCount ? offset(restart) : end
    Memory.prefetch(base + at, count: min(behind &- at, Self.prefetchedBytes))
    var matched = 0
    while at < end {
      let entry = entry(at: at)
      if entry.shared < matched { return entry }
      if entry.shared == matched {
        let common = matched &+ commonPrefix(entry.suffix, key, from: matched)
        if common == key.count {
          if common < matched &+ entry.suffix.count || entry.version <= version { return entry }
        } else if common < matched &+ entry.suffix.count, entry.suffix[common &- matched] > key[common] {
          return entry
        }
        matched = common
      }
      at = entry.end
    }
    return nil
  }

  /// The first restart point at or after (key, version); `restartCount` if there is none.
  @inline(__always)
  private func firstRestart(atOrAfter key: UnsafeRawBufferPointer, _ version: Version) -> Int {
    let target = RecordOrder.word(key)
    var low = 0
    var size = restartCount
    // Without a branch on what is compared: the words of a block predict nothing.
    while size > 0 {
      let half = size &>> 1
      let isBelow = word(low &+ half) < target
      low = low &+ (isBelow ? half &+ 1 : 0)
      size = isBelow ? size &- half &- 1 : half
    }
    guard low < restartCount, word(low) == target else { return low }
    var high = restartCount
    while low < high {
      let middle = (low &+ high) / 2
      let candidate = entry(at: offset(middle))
      if RecordOrder.compare(candidate.suffix, candidate.version, key, version) < 0 {
        low = middle &+ 1
      } else {
        high = middle
      }
    }
    return low
  }

  @inline(__always)
  private func commonPrefix(_ suffix: UnsafeRawBufferPointer, _ key: UnsafeRawBufferPointer, from: Int) -> Int {
    guard let left = suffix.baseAddress, let right = key.baseAddress else { return 0 }
    return RecordOrder.commonPrefix(left, right + from, limit: min(suffix.count, key.count &- from))
  }

  /// The offset of the last restart point before an offset above 0.
  func restartOffset(before offset: Int) -> Int {
    var low = 0
    var high = restartCount - 1
    while low < high {
      let middle = (low + high + 1) / 2
      if self.offset(middle) < offset { low = middle } else { high = middle - 1 }
    }
    return self.offset(low)
  }
}
