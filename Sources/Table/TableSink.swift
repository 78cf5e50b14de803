import Bytes
import Environment

/// The file that a table is written to, behind a buffer.
///
/// SAFETY: payloads are lent for the duration of a call and copied; what is lent on is the part of `buffer` that was just
/// appended, before anything else is.
final class TableSink {
  private static let bufferBytes = 256 << 10

  private let file: any DiskFile
  private let observer: ((UnsafeRawBufferPointer) -> Void)?
  private let buffer = GrowingBytes(capacity: 4 << 10)
  private var written: UInt64 = 0
  /// Up to here the file may hold already what is written.
  private var held: UInt64 = 0

  /// Creates the file; or, where an interrupted writer's is to go on, opens it.
  init(
    disk: any Disk, path: String, isResumed: Bool = false, observer: ((UnsafeRawBufferPointer) -> Void)?
  ) throws(TableError) {
    self.observer = observer
    do throws(DiskError) {
      file = try disk.open(path, isResumed ? .readWrite : .create)
      if isResumed { held = try file.size() }
    } catch {
      throw .io(error)
    }
  }

  /// The offset of what is written next.
  var offset: UInt64 { written + UInt64(buffer.count) }

  /// Appends a block with the builder's payload, which empties the builder.
  func write(_ builder: BlockBuilder, type: BlockType) throws(TableError) -> BlockHandle {
    try builder.finish { (payload) throws(TableError) in try write(payload, type: type) }
  }

  /// Appends a block.
  func write(_ payload: UnsafeRawBufferPointer, type: BlockType) throws(TableError) -> BlockHandle {
    let start = offset
    let first = buffer.count
    buffer.append(u32: 0)
    buffer.append(u32: UInt32(payload.count))
    buffer.append(u8: type.rawValue)
    buffer.append(u8: 0)
    buffer.append(u8: 0)
    buffer.append(u8: 0)
    buffer.append(payload)
    let block = UnsafeRawBufferPointer(rebasing: buffer.bytes[first...])
    buffer.patch(u32: Block.checksum(block, at: start), at: first)
    if buffer.count >= Self.bufferBytes { try flush() }
    return BlockHandle(offset: start, length: UInt32(TableFormat.blockHeaderBytes + payload.count))
  }

  /// Appends the footer and makes everything durable.
  func finish(_ footer: [UInt8]) throws(TableError) {
    footer.withRawBytes { buffer.append($0) }
    try flush()
    do throws(DiskError) { try file.sync() } catch { throw .io(error) }
  }

  /// Cuts off what a resumed file holds behind what was written to it.
  func cut() throws(TableError) {
    do throws(DiskError) { try file.truncate(to: offset) } catch { throw .io(error) }
    held = 0
  }

  private func flush() throws(TableError) {
    observer?(buffer.bytes)
    do throws(DiskError) {
      if try !holdsBuffer() { try file.write(buffer.bytes, at: written) }
    } catch {
      throw .io(error)
    }
    written += UInt64(buffer.count)
    buffer.removeAll()
  }

  /// Whether a resumed file has the buffer's bytes where they belong.
  private func holdsBuffer() throws(DiskError) -> Bool {
    guard offset <= held else { return false }
    return try file.read(at: written, count: buffer.count).withRawBytes { compareBytes($0, buffer.bytes) == 0 }
  }
}
