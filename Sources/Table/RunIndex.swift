import Bytes
import Environment

/// The index and the filter of a run, in memory.
///
/// SAFETY: nothing changes after `init`; hence Sendable.
final class RunIndex: Cached, @unchecked Sendable {
  let index: TableIndex
  private let filter: BloomFilter

  /// Reads the top index, all index blocks and the filter.
  init(_ entry: RunEntry, of file: any DiskFile) throws(TableError) {
    index = try TableReader.readIndex(entry.topIndex, of: file)
    if let handle = entry.filter {
      let block = try Block(handle, type: .filter, of: file)
      guard BloomFilter.fits(block.payload) else {
        throw TableReader.corrupt(file, handle.offset, "a filter of whole lines", "\(block.payload.count) bytes")
      }
      filter = BloomFilter(decoding: block.payload)
    } else {
      filter = BloomFilter()
    }
    super.init()
  }

  override var cost: Int { index.cost + filter.byteCount + 128 }

  /// Asks for what `mayContain` looks at.
  @inline(__always)
  func prefetch(_ hash: UInt64) { filter.prefetch(hash) }

  /// Whether the key with this hash (`KeyHash`) may be in the run; false is certain.
  @inline(__always)
  func mayContain(_ hash: UInt64) -> Bool { filter.mayContain(hash) }
}
