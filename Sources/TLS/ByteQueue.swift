/// Bytes on their way: appended at the end, taken from the start. Its memory grows as needed, is kept when it empties,
/// and is given back once it has grown large.
struct ByteQueue: ~Copyable {
  // SAFETY: `storage` is this value's alone (it can't be copied); `start...end` lies within its count.
  private var storage = UnsafeMutableRawBufferPointer(start: nil, count: 0)
  private var start = 0
  private var end = 0

  /// Memory above this is freed when the queue is empty.
  private static let kept = 1 << 18

  deinit {
    storage.deallocate()
  }

  /// The number of bytes in the queue.
  var count: Int { end - start }

  /// Lets `fill` append to the end, where there is room for at least so many bytes; it gives how many it wrote.
  mutating func append<Failure: Error>(
    room: Int, _ fill: (UnsafeMutableRawBufferPointer) throws(Failure) -> Int
  ) throws(Failure) {
    reserve(room)
    end += try fill(UnsafeMutableRawBufferPointer(rebasing: storage[end...]))
  }

  private mutating func reserve(_ room: Int) {
    guard storage.count - end < room else { return }
    let capacity = count + room <= storage.count ? storage.count : max(4096, 2 * storage.count, count + room)
    let target = capacity == storage.count ? storage : .allocate(byteCount: capacity, alignment: 16)
    // Where the memory stays, the bytes move to its start: the two ranges may overlap, which `copyMemory` allows.
    target.copyMemory(from: UnsafeRawBufferPointer(rebasing: storage[start..<end]))
    if capacity != storage.count {
      storage.deallocate()
      storage = target
    }
    end = count
    start = 0
  }

  /// Lends the bytes.
  func withBytes<Result, Failure: Error>(
    _ body: (UnsafeRawBufferPointer) throws(Failure) -> Result
  ) throws(Failure) -> Result {
    try body(UnsafeRawBufferPointer(rebasing: storage[start..<end]))
  }

  /// Drops bytes from the start.
  mutating func drop(_ bytes: Int) {
    precondition(bytes >= 0 && bytes <= count)
    start += bytes
    guard start == end else { return }
    start = 0
    end = 0
    if storage.count > ByteQueue.kept {
      storage.deallocate()
      storage = UnsafeMutableRawBufferPointer(start: nil, count: 0)
    }
  }

  /// Takes bytes from the start.
  mutating func take(_ bytes: Int) -> [UInt8] {
    defer { drop(bytes) }
    return withBytes { Array($0.prefix(bytes)) }
  }
}
