import Bytes

/// SAFETY: nothing is believed of the payload: every offset that is read from is held against the end of the entries, and the
/// trailer against the payload (`BlockTrailer`), before it is used.
extension BlockEntries {
  /// What is wrong with a payload that is to be a data block's of a tier, or an index block's: where, what was expected,
  /// what was found. Walks all entries once, so that whoever reads them later needs no checks.
  static func firstFault(
    _ payload: UnsafeRawBufferPointer, tier: Tier?
  ) -> (offset: Int, expected: String, found: String)? {
    guard let trailer = BlockTrailer(payload) else {
      return (max(0, payload.count - BlockTrailer.fixedBytes), "a trailer within the block", "a larger one")
    }
    var at = 0
    var restart = 0
    var sinceRestart = 0
    var lastLength = 0
    while at < trailer.start {
      guard let entry = shape(payload, at: at, end: trailer.start, tier) else {
        return (at, "a whole entry", "a broken one")
      }
      if restart < trailer.restartCount, offset(payload, trailer, restart) == UInt32(at) {
        guard entry.shared == 0 else { return (at, "a whole key at a restart point", "\(entry.shared) shared bytes") }
        restart += 1
        sinceRestart = 0
      }
      sinceRestart += 1
      guard restart > 0, sinceRestart <= TableFormat.maximumRestartInterval else {
        return (at, "a restart point every \(TableFormat.maximumRestartInterval) entries", "none")
      }
      guard entry.shared <= lastLength else { return (at, "at most \(lastLength) shared bytes", "\(entry.shared)") }
      lastLength = entry.shared + entry.unshared
      guard trailer.prefixCount + lastLength <= Limits.keyBytes.rawValue else {
        return (at, "a key of at most \(Limits.keyBytes)", "\(trailer.prefixCount + lastLength) bytes")
      }
      at = entry.end
    }
    guard restart == trailer.restartCount else {
      return (trailer.offsetsStart + 4 * restart, "the offset of an entry", "\(offset(payload, trailer, restart))")
    }
    return nil
  }

  private static func offset(_ payload: UnsafeRawBufferPointer, _ trailer: BlockTrailer, _ restart: Int) -> UInt32 {
    payload.loadUnaligned(fromByteOffset: trailer.offsetsStart + 4 * restart, as: UInt32.self).littleEndian
  }

  private struct Shape {
    let shared: Int
    let unshared: Int
    let end: Int
  }

  /// The shape of the entry at an offset, or nil if it isn't whole.
  @inline(__always)
  private static func shape(
    _ payload: UnsafeRawBufferPointer, at offset: Int, end: Int, _ tier: Tier?
  ) -> Shape? {
    var at = offset
    guard end - at >= 12 else { return nil }
    let flags = payload.load(fromByteOffset: at, as: UInt8.self)
    at += 1
    guard flags <= TableFormat.spanFlag | 1,
      let shared = varint(payload, &at, end), let unshared = varint(payload, &at, end),
      let value = varint(payload, &at, end), flags & 1 == 1 || value == 0
    else { return nil }
    guard end - at >= 8 else { return nil }
    let version = payload.loadUnaligned(fromByteOffset: at, as: UInt64.self).littleEndian
    at += 8
    var span: UInt64 = 0
    if flags & TableFormat.spanFlag != 0 {
      guard let stored = longVarint(payload, &at, end), stored > 0 else { return nil }
      span = stored
    }
    switch tier {
    case .current: guard span <= version else { return nil }
    case .history: guard span > 0, span <= .max - version, flags & 1 == 1 else { return nil }
    case nil: guard span == 0 else { return nil }
    }
    guard unshared <= end - at, value <= end - at - unshared, value <= Limits.valueBytes.rawValue else { return nil }
    return Shape(shared: shared, unshared: unshared, end: at + unshared + value)
  }

  /// A varint of at most 64 bits.
  private static func longVarint(_ payload: UnsafeRawBufferPointer, _ at: inout Int, _ end: Int) -> UInt64? {
    var value: UInt64 = 0
    var shift: UInt64 = 0
    while at < end, shift < 64 {
      let byte = payload.load(fromByteOffset: at, as: UInt8.self)
      at += 1
      guard shift < 63 || byte <= 1 else { return nil }
      value |= UInt64(byte & 0x7f) << shift
      if byte < 0x80 { return value }
      shift += 7
    }
    return nil
  }

  /// A varint of at most four bytes, which is enough for every length in a block.
  @inline(__always)
  private static func varint(_ payload: UnsafeRawBufferPointer, _ at: inout Int, _ end: Int) -> Int? {
    var value = 0
    var shift = 0
    while at < end, shift < 28 {
      let byte = payload.load(fromByteOffset: at, as: UInt8.self)
      at += 1
      value |= Int(byte & 0x7f) << shift
      if byte < 0x80 { return value }
      shift += 7
    }
    return nil
  }
}
