import COpenSSL

/// Makes the SHA-256 of records, one after the other, with one context: half the cost of one for each record. For one
/// thread at a time.
///
///     key length u32 | key | from u64 | to u64 | value length u32 | value
///
/// all numbers little-endian, `to` all ones for a record that nothing has replaced.
public final class RecordHasher {
  /// nil once the library has refused.
  private var context: OpaquePointer?
  /// Key and numbers, which go to the library in one piece. It is as large as the largest that there was.
  private var head = UnsafeMutableRawBufferPointer.allocate(byteCount: 256, alignment: 8)
  private let digest = UnsafeMutableRawBufferPointer.allocate(byteCount: RecordSum.encodedBytes, alignment: 8)
  /// The bytes of the numbers.
  private static let numberBytes = 24

  /// A hasher.
  public init() {
    context = EVP_MD_CTX_new()
    if let context, EVP_DigestInit_ex(context, EVP_sha256(), nil) != 1 { refuse() }
  }

  deinit {
    EVP_MD_CTX_free(context)
    head.deallocate()
    digest.deallocate()
  }

  private func refuse() {
    EVP_MD_CTX_free(context)
    context = nil
  }

  /// The sum of one record; nil where the library has no memory, from then on for ever.
  public func sum(
    key: UnsafeRawBufferPointer, from: UInt64, to: UInt64, value: UnsafeRawBufferPointer
  ) -> RecordSum? {
    guard let context else { return nil }
    let count = key.count + Self.numberBytes
    if count > head.count {
      head.deallocate()
      head = .allocate(byteCount: count, alignment: 8)
    }
    // SAFETY: head holds the key and 24 bytes more; the library reads the given number of bytes of each buffer, writes 32
    // to the digest's, and keeps none.
    head.storeBytes(of: UInt32(key.count).littleEndian, as: UInt32.self)
    UnsafeMutableRawBufferPointer(rebasing: head[4...]).copyMemory(from: key)
    head.storeBytes(of: from.littleEndian, toByteOffset: key.count + 4, as: UInt64.self)
    head.storeBytes(of: to.littleEndian, toByteOffset: key.count + 12, as: UInt64.self)
    head.storeBytes(of: UInt32(value.count).littleEndian, toByteOffset: key.count + 20, as: UInt32.self)
    let isDone =
      EVP_DigestInit_ex(context, nil, nil) == 1
      && EVP_DigestUpdate(context, head.baseAddress, count) == 1
      && (value.isEmpty || EVP_DigestUpdate(context, value.baseAddress, value.count) == 1)
      && EVP_DigestFinal_ex(context, digest.baseAddress, nil) == 1
    guard isDone else {
      refuse()
      return nil
    }
    return RecordSum(digest: UnsafeRawBufferPointer(digest))
  }
}
