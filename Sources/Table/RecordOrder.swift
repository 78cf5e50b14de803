public import Bytes

/// The order of records in memtables and tables: keys ascending as unsigned bytes, versions of a key descending.
public enum RecordOrder {
  /// The first eight bytes of a key as one big-endian number, shorter keys padded with zeros: keys with different
  /// words are ordered as their words are; keys with equal words must be compared in full.
  @inlinable @inline(__always)
  public static func word(_ key: UnsafeRawBufferPointer) -> UInt64 {
    guard let base = key.baseAddress, key.count > 0 else { return 0 }
    // SAFETY: reads the `count` bytes of the buffer, or its first eight.
    if key.count >= 8 { return UInt64(bigEndian: base.loadUnaligned(as: UInt64.self)) }
    var word: UInt64 = 0
    for at in 0..<key.count { word |= UInt64(base.load(fromByteOffset: at, as: UInt8.self)) << (56 - 8 * UInt64(at)) }
    return word
  }

  /// Negative, zero or positive as the left record comes before, at or after the right one.
  @inlinable @inline(__always)
  public static func compare(
    _ leftKey: UnsafeRawBufferPointer, _ leftVersion: Version,
    _ rightKey: UnsafeRawBufferPointer, _ rightVersion: Version
  ) -> Int {
    let order = compareBytes(leftKey, rightKey)
    if order != 0 { return order }
    return leftVersion == rightVersion ? 0 : leftVersion > rightVersion ? -1 : 1
  }

  /// The number of leading bytes, at most `limit`, that two byte strings have in common.
  @inlinable @inline(__always)
  public static func commonPrefix(_ left: UnsafeRawPointer, _ right: UnsafeRawPointer, limit: Int) -> Int {
    // SAFETY: the caller vouches for `limit` bytes behind both pointers; nothing beyond is read.
    var at = 0
    while at + 8 <= limit {
      let difference =
        left.loadUnaligned(fromByteOffset: at, as: UInt64.self)
        ^ right.loadUnaligned(fromByteOffset: at, as: UInt64.self)
      if difference != 0 { return at + difference.littleEndian.trailingZeroBitCount >> 3 }
      at += 8
    }
    while at < limit,
      left.load(fromByteOffset: at, as: UInt8.self) == right.load(fromByteOffset: at, as: UInt8.self)
    { at += 1 }
    return at
  }
}
