import Bytes

extension BlockEntries {
  /// What a payload has wrong with it, if it isn't that of a data or index block: where, what was expected, what was
  /// found. Walks all entries once.
  static func firstFault(_ payload: UnsafeRawBufferPointer) -> (offset: Int, expected: String, found: String)? {
    guard payload.count >= 4 else { return (0, "at least 4 bytes", "\(payload.count)") }
    let restarts = Int(payload.loadUnaligned(fromByteOffset: payload.count - 4, as: UInt32.self).littleEndian)
    guard restarts <= (payload.count - 4) / 4 else {
      return (payload.count - 4, "at most \((payload.count - 4) / 4) restart points", "\(restarts)")
    }
    let end = payload.count - 4 - 4 * restarts
    var at = 0
    var restart = 0
    var sinceRestart = 0
    var lastLength = 0
    while at < end {
      let isRestart =
        restart < restarts
        && payload.loadUnaligned(fromByteOffset: end + 4 * restart, as: UInt32.self).littleEndian == UInt32(at)
      guard let entry = checkedEntry(payload, at: at, end: end) else { return (at, "a whole entry", "a broken one") }
      if isRestart {
        guard entry.shared == 0 else { return (at, "a whole key at a restart point", "\(entry.shared) shared bytes") }
        restart += 1
        sinceRestart = 0
      }
      sinceRestart += 1
      guard restart > 0, sinceRestart <= TableFormat.maximumRestartInterval else {
        return (at, "a restart point every \(TableFormat.maximumRestartInterval) entries", "none")
      }
      guard entry.shared <= lastLength else {
        return (at, "at most \(lastLength) shared bytes", "\(entry.shared)")
      }
      lastLength = entry.shared + entry.unshared
      guard lastLength <= Limits.keyBytes.rawValue else {
        return (at, "a key of at most \(Limits.keyBytes)", "\(lastLength) bytes")
      }
      at = entry.end
    }
    guard restart == restarts else { return (end + 4 * restart, "the offset of an entry", "another") }
    return nil
  }

  private struct Shape {
    let shared: Int
    let unshared: Int
    let end: Int
  }

  /// The shape of the entry at an offset, or nil if it isn't whole.
  @inline(__always)
  private static func checkedEntry(_ payload: UnsafeRawBufferPointer, at offset: Int, end: Int) -> Shape? {
    var at = offset
    guard end - at >= 12 else { return nil }
    let kind = payload.load(fromByteOffset: at, as: UInt8.self)
    at += 1
    guard kind <= 1,
      let shared = varint(payload, &at, end), let unshared = varint(payload, &at, end),
      let value = varint(payload, &at, end), kind == 1 || value == 0
    else { return nil }
    at += 8
    guard at <= end, unshared <= end - at, value <= end - at - unshared else { return nil }
    return Shape(shared: shared, unshared: unshared, end: at + unshared + value)
  }

  /// A varint of at most four bytes, which is enough for every length in a block.
  @inline(__always)
  private static func varint(_ payload: UnsafeRawBufferPointer, _ at: inout Int, _ end: Int) -> Int? {
    var value = 0
    for shift in stride(from: 0, to: 28, by: 7) {
      guard at < end else { return nil }
      let byte = payload.load(fromByteOffset: at, as: UInt8.self)
      at += 1
      value |= Int(byte & 0x7f) << shift
      if byte < 0x80 { return value }
    }
    return nil
  }
}
