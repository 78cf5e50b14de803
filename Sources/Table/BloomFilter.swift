import Bytes

/// A Bloom filter whose bits for one key lie in one line of 32 bytes, so that a probe touches one cache line.
///
/// A line has eight words of 32 bits, and a key sets one bit in each (Putze, Sanders, Singler, "Cache-, Hash- and
/// Space-Efficient Bloom Filters", WEA 2007). Of a key's hash h, line = (h >> 32) × lines >> 32, and the bit in word i
/// is (h >> 5 i) & 31. At 10 bits a key about 1.3 % of absent keys pass.
struct BloomFilter: ~Copyable {
  /// The bytes of a line.
  static let lineBytes = 32
  /// The words of a line.
  static let words = 8

  private let lines: UnsafeMutableRawPointer
  private let lineCount: Int

  /// A filter for keys with these hashes.
  init(hashes: [UInt64], bitsPerKey: Int) {
    let bits = max(1, hashes.count) * bitsPerKey
    lineCount = (bits + Self.lineBytes * 8 - 1) / (Self.lineBytes * 8)
    lines = Self.allocate(lineCount)
    for hash in hashes { insert(hash) }
  }

  /// A filter that everything passes.
  init() {
    lineCount = 0
    lines = Self.allocate(0)
  }

  /// Whether a block's payload can be a filter: whole lines.
  static func fits(_ payload: UnsafeRawBufferPointer) -> Bool {
    payload.count > 0 && payload.count % lineBytes == 0
  }

  /// The filter in a block's payload, which must fit, copied to where lines are cache-aligned.
  init(decoding payload: UnsafeRawBufferPointer) {
    precondition(Self.fits(payload))
    lineCount = payload.count / Self.lineBytes
    lines = Self.allocate(lineCount)
    UnsafeMutableRawBufferPointer(start: lines, count: payload.count).copyMemory(from: payload)
  }

  deinit {
    lines.deallocate()
  }

  private static func allocate(_ lineCount: Int) -> UnsafeMutableRawPointer {
    let memory = UnsafeMutableRawPointer.allocate(byteCount: lineCount * lineBytes, alignment: 64)
    memory.initializeMemory(as: UInt8.self, repeating: 0, count: lineCount * lineBytes)
    return memory
  }

  /// The bytes that the filter takes, as a block's payload too.
  var byteCount: Int { lineCount * Self.lineBytes }

  /// Lends the filter as a block's payload.
  func withBytes<Result, Failure: Error>(
    _ body: (UnsafeRawBufferPointer) throws(Failure) -> Result
  ) throws(Failure) -> Result {
    try body(UnsafeRawBufferPointer(start: lines, count: byteCount))
  }

  // SAFETY: in both `line` is below `lineCount`, since the upper half of the hash is below 2^32.
  private func line(_ hash: UInt64) -> UnsafeMutableRawPointer {
    lines + Int(((hash >> 32) &* UInt64(lineCount)) >> 32) &* Self.lineBytes
  }

  private func insert(_ hash: UInt64) {
    let line = line(hash)
    var rest = hash
    for word in 0..<Self.words {
      let old = UInt32(littleEndian: line.load(fromByteOffset: word * 4, as: UInt32.self))
      line.storeBytes(of: (old | 1 << UInt32(rest & 31)).littleEndian, toByteOffset: word * 4, as: UInt32.self)
      rest >>= 5
    }
  }

  /// Asks for the line of a key with this hash.
  @inline(__always)
  func prefetch(_ hash: UInt64) {
    if lineCount > 0 { Memory.prefetch(line(hash), count: Self.lineBytes) }
  }

  /// Whether a key with this hash may be among the filter's; false is certain.
  @inline(__always)
  func mayContain(_ hash: UInt64) -> Bool {
    guard lineCount > 0 else { return true }
    let line = line(hash)
    var rest = hash
    for word in 0..<Self.words {
      let bits = UInt32(littleEndian: line.load(fromByteOffset: word &* 4, as: UInt32.self))
      if bits &>> UInt32(rest & 31) & 1 == 0 { return false }
      rest >>= 5
    }
    return true
  }
}
