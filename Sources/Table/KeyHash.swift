import Bytes

/// The hash of keys in filters: fixed for ever, since filters are stored. Multiply-and-fold over eight-byte words.
public enum KeyHash {
  private static let start: UInt64 = 0x2d35_8dcc_aa6c_78a5
  private static let lengthFactor: UInt64 = 0x9e37_79b9_7f4a_7c15
  private static let factor: UInt64 = 0xd6e8_feb8_6659_fd93

  /// The hash of a key.
  public static func hash(_ key: UnsafeRawBufferPointer) -> UInt64 {
    var state = start ^ (UInt64(key.count) &* lengthFactor)
    var at = 0
    // SAFETY: every load ends at or before `count`.
    while at + 8 <= key.count {
      state = fold(state ^ UInt64(littleEndian: key.loadUnaligned(fromByteOffset: at, as: UInt64.self)))
      at += 8
    }
    if at < key.count {
      var tail: UInt64 = 0
      for shift in 0..<(key.count - at) { tail |= UInt64(key[at + shift]) << (8 * UInt64(shift)) }
      state = fold(state ^ tail)
    }
    return SplitMix64.mix(state)
  }

  private static func fold(_ value: UInt64) -> UInt64 {
    let product = value.multipliedFullWidth(by: factor)
    return product.high ^ product.low
  }
}
