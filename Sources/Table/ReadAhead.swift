import Environment

/// Reads a file for one that goes through it from front to back, more at once than is asked for: twice as much each time,
/// as long as what is asked for lies behind what was asked for before. For one thread at a time.
final class ReadAhead {
  private static let smallest = 8 << 10
  private static let largest = 64 << 10
  /// What may lie between two places that are asked for, one behind the other: blocks of the index.
  private static let gap: UInt64 = 16 << 10

  // SAFETY: owned; `count` bytes of it are those of the file from `start` on.
  private var window = UnsafeMutableRawBufferPointer(start: nil, count: 0)
  private var start: UInt64 = 0
  private var count = 0
  /// Where what was asked for last ends.
  private var end: UInt64 = 0
  /// How much is read next.
  private var amount = smallest

  deinit {
    window.deallocate()
  }

  /// Forgets what was read: the file is another one from now on.
  func reset() {
    (count, end, amount) = (0, 0, Self.smallest)
  }

  /// Fills a buffer with a file's bytes from an offset on; fewer only at the file's end.
  func read(
    _ file: any DiskFile, at offset: UInt64, into buffer: UnsafeMutableRawBufferPointer
  ) throws(DiskError) -> Int {
    defer { end = offset + UInt64(buffer.count) }
    if copy(from: offset, into: buffer) { return buffer.count }
    let isNext = offset >= end && offset - end <= Self.gap
    if !isNext { amount = Self.smallest }
    if isNext, buffer.count < amount, fill(from: file, at: offset), copy(from: offset, into: buffer) {
      return buffer.count
    }
    return try file.read(at: offset, into: buffer)
  }

  /// False where a part can't be read: what is asked for may still be.
  private func fill(from file: any DiskFile, at offset: UInt64) -> Bool {
    if window.count < amount {
      window.deallocate()
      window = .allocate(byteCount: amount, alignment: 64)
    }
    count = 0
    let rest = UnsafeMutableRawBufferPointer(rebasing: window[..<amount])
    guard let read = try? file.read(at: offset, into: rest) else { return false }
    (start, count) = (offset, read)
    amount = min(2 * amount, Self.largest)
    return true
  }

  private func copy(from offset: UInt64, into buffer: UnsafeMutableRawBufferPointer) -> Bool {
    guard offset >= start, offset - start <= UInt64(count), buffer.count <= count - Int(offset - start) else {
      return false
    }
    buffer.copyMemory(from: UnsafeRawBufferPointer(rebasing: window[Int(offset - start)...].prefix(buffer.count)))
    return true
  }
}
