/// Makes the SHA-256 of records, one after the other. For one thread at a time.
///
///     key length u32 | key | from u64 | to u64 | value length u32 | value
///
/// all numbers little-endian, `to` all ones for a record that nothing has replaced.
///
/// SAFETY: key and value are lent for the call, which copies or hashes them and keeps neither.
public final class RecordHasher {
  private let hasher = MessageHasher()

  /// A hasher.
  public init() {}

  /// The sum of one record.
  public func sum(
    key: UnsafeRawBufferPointer, from: UInt64, to: UInt64, value: UnsafeRawBufferPointer
  ) -> RecordSum {
    hasher.begin()
    hasher.add(UInt32(key.count))
    hasher.add(key)
    hasher.add(from)
    hasher.add(to)
    hasher.add(UInt32(value.count))
    hasher.add(value)
    return TreeHash { hasher.finish(into: $0) }.withBytes { RecordSum(digest: $0) }
  }
}
