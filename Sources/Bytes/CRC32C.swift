private import CShims

/// The CRC-32C checksum (Castagnoli polynomial, RFC 3720 appendix B.4).
public enum CRC32C {
  /// The checksum of an array, continuing from `seed`, the checksum of what came before (0 at the start).
  public static func checksum(_ bytes: [UInt8], seed: UInt32 = 0) -> UInt32 {
    bytes.withUnsafeBytes { checksum($0, seed: seed) }
  }

  /// The checksum of a buffer, continuing from `seed`.
  public static func checksum(_ bytes: UnsafeRawBufferPointer, seed: UInt32 = 0) -> UInt32 {
    // SAFETY: the C function reads `count` bytes from the buffer and nothing else.
    kv_crc32c(seed, bytes.baseAddress, bytes.count)
  }

  /// The same checksum without CPU instructions for it. For tests.
  static func portable(_ bytes: UnsafeRawBufferPointer, seed: UInt32 = 0) -> UInt32 {
    kv_crc32c_portable(seed, bytes.baseAddress, bytes.count)
  }
}
