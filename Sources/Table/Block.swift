import Bytes
import Environment

/// A block as it lies in memory: its checksum was right when it was loaded, and a block of entries was walked once, so
/// that cursors over it need no bounds checks.
///
/// SAFETY: `base` owns `count` bytes, `trailer` its own. Nothing changes after `init`; hence Sendable.
final class Block: Cached, @unchecked Sendable {
  private let base: UnsafeMutableRawPointer
  private let count: Int
  /// The entries of a data or index block; nobody asks for those of another.
  private var decoded: BlockEntries?
  /// A copy of its trailer.
  private var trailer: UnsafeMutableRawBufferPointer?

  /// What the block holds.
  var payload: UnsafeRawBufferPointer {
    UnsafeRawBufferPointer(start: base + TableFormat.blockHeaderBytes, count: count - TableFormat.blockHeaderBytes)
  }

  /// The bytes that the block takes in memory, about.
  override var cost: Int { count + (trailer?.count ?? 0) + 192 }

  /// Reads a block and checks everything that can be checked; of a data block also that its entries fit its tier.
  init(
    _ handle: BlockHandle, type: BlockType, tier: Tier? = nil, of file: any DiskFile,
    through readAhead: ReadAhead? = nil
  ) throws(TableError) {
    count = Int(handle.length)
    base = .allocate(byteCount: count, alignment: 64)
    super.init()
    // Once all members are set, an error thrown here runs deinit, which frees the memory.
    let found: Int
    do throws(DiskError) {
      let buffer = UnsafeMutableRawBufferPointer(start: base, count: count)
      found =
        if let readAhead { try readAhead.read(file, at: handle.offset, into: buffer) } else {
          try file.read(at: handle.offset, into: buffer)
        }
    } catch {
      throw .io(error)
    }
    func corrupt(_ offset: Int, _ expected: String, _ found: String) -> TableError {
      .corrupt(path: file.path, offset: handle.offset + UInt64(offset), expected: expected, found: found)
    }
    guard found == count else { throw corrupt(found, "\(count) bytes of a block", "the end of the file") }
    let stored = base.load(as: UInt32.self).littleEndian
    let actual = Self.checksum(UnsafeRawBufferPointer(start: base, count: count), at: handle.offset)
    guard stored == actual else { throw corrupt(0, "CRC-32C \(hexadecimal(stored))", hexadecimal(actual)) }
    let length = base.load(fromByteOffset: 4, as: UInt32.self).littleEndian
    guard Int(length) == payload.count else { throw corrupt(4, "a payload of \(payload.count) bytes", "\(length)") }
    let code = base.load(fromByteOffset: 8, as: UInt8.self)
    guard code == type.rawValue else { throw corrupt(8, "block type \(type.rawValue)", "\(code)") }
    let compression = base.load(fromByteOffset: 9, as: UInt8.self)
    guard compression == 0 else { throw corrupt(9, "compression 0", "\(compression)") }
    let flags = base.load(fromByteOffset: 10, as: UInt16.self).littleEndian
    guard flags == 0 else { throw corrupt(10, "flags 0", "\(flags)") }
    guard type == .data || type == .index || type == .topIndex else { return }
    if let (offset, expected, found) = BlockEntries.firstFault(payload, tier: tier) {
      throw corrupt(TableFormat.blockHeaderBytes + offset, expected, found)
    }
    search(payload)
  }

  /// Copies the trailer to where it is close together: the search in a block begins there, and what all blocks of a large
  /// cache begin with stays in the CPU's caches, where the blocks themselves don't.
  private func search(_ payload: UnsafeRawBufferPointer) {
    guard let trailer = BlockTrailer(payload) else { preconditionFailure("a block that was not validated") }
    let bytes = UnsafeRawBufferPointer(rebasing: payload[trailer.start...])
    let copy = UnsafeMutableRawBufferPointer.allocate(byteCount: bytes.count, alignment: 64)
    copy.copyMemory(from: bytes)
    self.trailer = copy
    decoded = copy.baseAddress.map { BlockEntries(validated: payload, trailer: trailer, copy: $0) }
  }

  override var searchedFirst: UnsafeRawBufferPointer? { trailer.map { UnsafeRawBufferPointer($0) } }

  deinit {
    base.deallocate()
    trailer?.deallocate()
  }

  /// The checksum of a block whose header's first four bytes are where it will go: over the block's offset in the
  /// file (so that a block that was written or read in the wrong place is found out), then all that follows.
  static func checksum(_ block: UnsafeRawBufferPointer, at offset: UInt64) -> UInt32 {
    let seed = withUnsafeBytes(of: offset.littleEndian) { CRC32C.checksum($0) }
    return CRC32C.checksum(UnsafeRawBufferPointer(rebasing: block[4...]), seed: seed)
  }

  /// The entries of a data or index block.
  @inline(__always)
  var entries: BlockEntries {
    guard let decoded else { preconditionFailure("a block without entries") }
    return decoded
  }
}
