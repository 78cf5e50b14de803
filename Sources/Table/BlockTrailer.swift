import Bytes

/// The end of a data or index block's payload: for each restart point the word (`RecordOrder.word`) of its key, u64, then
/// for each its offset, u32, then the prefix that all keys of the block share, its length u16, and the number of restart
/// points u32. Keys in entries and words are without the prefix.
///
/// SAFETY: the two loads lie in the last six bytes of a payload that has them.
struct BlockTrailer {
  /// The bytes behind the prefix.
  static let fixedBytes = 6
  /// The bytes for each restart point.
  static let restartBytes = 12

  /// The number of restart points.
  let restartCount: Int
  /// The length of the prefix.
  let prefixCount: Int
  /// Where the trailer begins and the entries end.
  let start: Int

  /// Where the offsets of restart points begin.
  var offsetsStart: Int { start + 8 * restartCount }
  /// Where the prefix begins.
  var prefixStart: Int { start + Self.restartBytes * restartCount }

  /// The trailer of a payload, or nil if there is no room for what it says.
  init?(_ payload: UnsafeRawBufferPointer) {
    let fixed = payload.count - Self.fixedBytes
    guard fixed >= 0 else { return nil }
    prefixCount = Int(payload.loadUnaligned(fromByteOffset: fixed, as: UInt16.self).littleEndian)
    restartCount = Int(payload.loadUnaligned(fromByteOffset: fixed + 2, as: UInt32.self).littleEndian)
    start = fixed - prefixCount - Self.restartBytes * restartCount
    guard start >= 0 else { return nil }
  }
}
