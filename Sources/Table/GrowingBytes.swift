/// A byte buffer that grows and is reused: what blocks are built in.
package final class GrowingBytes {
  // SAFETY: `base` owns `capacity` bytes, of which the first `count` are initialized; every append reserves first.
  // Exclusivity isn't checked at run time, since no access to a member spans a call that could come back to it.
  @exclusivity(unchecked) private var base: UnsafeMutableRawPointer
  @exclusivity(unchecked) private var capacity: Int
  /// The bytes written.
  @exclusivity(unchecked) package private(set) var count = 0

  package init(capacity: Int) {
    self.capacity = max(64, capacity)
    base = .allocate(byteCount: self.capacity, alignment: 16)
  }

  deinit {
    base.deallocate()
  }

  /// What was written.
  package var bytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: base, count: count) }

  /// Makes room for `more` bytes and gives the place where they go.
  private func extend(_ more: Int) -> UnsafeMutableRawPointer {
    if capacity - count < more { grow(more) }
    defer { count += more }
    return base + count
  }

  private func grow(_ more: Int) {
    capacity = max(capacity * 2, count + more)
    let wider = UnsafeMutableRawPointer.allocate(byteCount: capacity, alignment: 16)
    wider.copyMemory(from: base, byteCount: count)
    base.deallocate()
    base = wider
  }

  package func append(_ more: UnsafeRawBufferPointer) {
    guard let source = more.baseAddress, more.count > 0 else { return }
    extend(more.count).copyMemory(from: source, byteCount: more.count)
  }

  /// Appends a copy of some of the buffer's own bytes.
  func appendOwn(from start: Int, count length: Int) {
    precondition(start >= 0 && length >= 0 && start + length <= count)
    let target = extend(length)
    target.copyMemory(from: base + start, byteCount: length)
  }

  package func append(u8 value: UInt8) {
    extend(1).storeBytes(of: value, as: UInt8.self)
  }

  package func append(u16 value: UInt16) {
    extend(2).storeBytes(of: value.littleEndian, as: UInt16.self)
  }

  package func append(u32 value: UInt32) {
    extend(4).storeBytes(of: value.littleEndian, as: UInt32.self)
  }

  package func append(u64 value: UInt64) {
    extend(8).storeBytes(of: value.littleEndian, as: UInt64.self)
  }

  package func append(varint value: Int) { append(varint: UInt64(value)) }

  package func append(varint value: UInt64) {
    var rest = value
    while rest >= 0x80 {
      append(u8: UInt8(truncatingIfNeeded: rest) | 0x80)
      rest >>= 7
    }
    append(u8: UInt8(truncatingIfNeeded: rest))
  }

  /// Overwrites four bytes written before.
  func patch(u32 value: UInt32, at offset: Int) {
    precondition(offset >= 0 && offset + 4 <= count)
    base.storeBytes(of: value.littleEndian, toByteOffset: offset, as: UInt32.self)
  }

  /// Keeps the first `length` bytes.
  func truncate(to length: Int) {
    precondition(length <= count)
    count = length
  }

  /// Keeps the first `start` bytes and puts others behind them.
  @inline(__always)
  func replaceTail(from start: Int, with tail: UnsafeRawBufferPointer) {
    precondition(start <= count)
    let end = start &+ tail.count
    if end > capacity { grow(end - count) }
    if let source = tail.baseAddress { (base + start).copyMemory(from: source, byteCount: tail.count) }
    count = end
  }

  /// Makes the content `bytes`, of which those before `offset` are already there.
  package func replace(_ bytes: UnsafeRawBufferPointer, from offset: Int) {
    truncate(to: offset)
    append(UnsafeRawBufferPointer(rebasing: bytes[offset...]))
  }

  /// Forgets what was written and keeps the room.
  package func removeAll() {
    count = 0
  }
}
