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
  /// Key and numbers, which go to the library in one piece.
  private var head: [UInt8] = []
  private var digest = [UInt8](repeating: 0, count: RecordSum.encodedBytes)

  /// A hasher.
  public init() {
    context = EVP_MD_CTX_new()
    if let context, EVP_DigestInit_ex(context, EVP_sha256(), nil) != 1 { refuse() }
  }

  deinit {
    EVP_MD_CTX_free(context)
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
    head.removeAll(keepingCapacity: true)
    append(UInt32(key.count))
    head.append(contentsOf: key)
    append(from)
    append(to)
    append(UInt32(value.count))
    // SAFETY: the library reads the given number of bytes of each buffer, writes 32 to the digest's, and keeps none.
    let isDone =
      EVP_DigestInit_ex(context, nil, nil) == 1
      && head.withUnsafeBytes { EVP_DigestUpdate(context, $0.baseAddress, $0.count) } == 1
      && (value.isEmpty || EVP_DigestUpdate(context, value.baseAddress, value.count) == 1)
      && digest.withUnsafeMutableBufferPointer { EVP_DigestFinal_ex(context, $0.baseAddress, nil) } == 1
    guard isDone else {
      refuse()
      return nil
    }
    return digest.withUnsafeBytes { RecordSum(digest: $0) }
  }

  @inline(__always)
  private func append(_ number: some FixedWidthInteger) {
    withUnsafeBytes(of: number.littleEndian) { head.append(contentsOf: $0) }
  }
}
