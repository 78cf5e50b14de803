/// Memory that grows by chunks and is freed all at once. The first chunk is small, so that an empty memtable costs
/// little; each further one is twice the last.
struct Arena: ~Copyable {
  private static let firstChunkBytes = 2 << 10
  private static let lastChunkBytes = 1 << 20

  private var chunks: [UnsafeMutableRawPointer] = []
  private var next: UnsafeMutableRawPointer?
  private var left = 0
  private var chunkBytes = firstChunkBytes
  /// The bytes handed out.
  private(set) var byteCount = 0

  deinit {
    for chunk in chunks { chunk.deallocate() }
  }

  /// Uninitialized memory, aligned to 8 bytes, that lives as long as the arena.
  mutating func allocate(_ count: Int) -> UnsafeMutableRawPointer {
    let rounded = (count + 7) & ~7
    byteCount += rounded
    // SAFETY: `next` has `left` bytes of its chunk before it.
    if rounded <= left, let place = next {
      next = place + rounded
      left -= rounded
      return place
    }
    return allocateSlowly(rounded)
  }

  private mutating func allocateSlowly(_ count: Int) -> UnsafeMutableRawPointer {
    // What is large gets a chunk of its own, and the current one goes on being filled.
    let isOwn = count > chunkBytes / 4
    let size = isOwn ? count : chunkBytes
    let chunk = UnsafeMutableRawPointer.allocate(byteCount: size, alignment: 16)
    chunks.append(chunk)
    guard !isOwn else { return chunk }
    next = chunk + count
    left = size - count
    chunkBytes = min(chunkBytes * 2, Self.lastChunkBytes)
    return chunk
  }
}
