/// Reads fixed-width little-endian integers, varints and byte strings out of untrusted bytes, never past their end.
public struct ByteReader {
  private let bytes: [UInt8]
  private let end: Int
  /// Where the next read begins, counted from the start of the array.
  public private(set) var offset: Int

  /// A reader over all of the bytes.
  public init(_ bytes: [UInt8]) {
    self.init(bytes, range: 0..<bytes.count)
  }

  /// A reader over a part of the bytes, which must lie within them.
  public init(_ bytes: [UInt8], range: Range<Int>) {
    precondition(range.lowerBound >= 0 && range.upperBound <= bytes.count)
    self.bytes = bytes
    self.offset = range.lowerBound
    self.end = range.upperBound
  }

  /// The number of bytes not yet read.
  public var remaining: Int { end - offset }
  /// Whether all bytes were read.
  public var isAtEnd: Bool { offset == end }

  private mutating func take(_ count: Int) throws(ByteError) -> Int {
    guard count >= 0, count <= remaining else {
      throw .truncated(offset: offset, needed: count, available: remaining)
    }
    defer { offset += count }
    return offset
  }

  /// The next byte.
  public mutating func u8() throws(ByteError) -> UInt8 {
    bytes[try take(1)]
  }

  /// The next two bytes as a little-endian integer.
  public mutating func u16() throws(ByteError) -> UInt16 {
    let at = try take(2)
    return UInt16(bytes[at]) | UInt16(bytes[at + 1]) << 8
  }

  /// The next four bytes as a little-endian integer.
  public mutating func u32() throws(ByteError) -> UInt32 {
    let at = try take(4)
    // SAFETY: here as below `take` has made sure that the bytes from `at` on are there.
    return bytes.withUnsafeBytes { UInt32(littleEndian: $0.loadUnaligned(fromByteOffset: at, as: UInt32.self)) }
  }

  /// The next eight bytes as a little-endian integer.
  public mutating func u64() throws(ByteError) -> UInt64 {
    let at = try take(8)
    return bytes.withUnsafeBytes { UInt64(littleEndian: $0.loadUnaligned(fromByteOffset: at, as: UInt64.self)) }
  }

  /// An unsigned LEB128 integer of at most 64 bits, in its shortest form.
  public mutating func varint() throws(ByteError) -> UInt64 {
    let start = offset
    var value: UInt64 = 0
    var shift: UInt64 = 0
    while true {
      let byte = try u8()
      let part = UInt64(byte & 0x7f)
      guard shift < 63 || part <= 1 && shift == 63 else {
        throw .malformed(offset: start, expected: "a varint of at most 64 bits", found: "a longer one")
      }
      value |= part << shift
      if byte & 0x80 == 0 {
        guard byte != 0 || shift == 0 else {
          throw .malformed(offset: start, expected: "the shortest varint", found: "a padded one")
        }
        return value
      }
      shift += 7
    }
  }

  /// A varint that counts bytes or items, refused above `limit`.
  public mutating func count(limit: Int) throws(ByteError) -> Int {
    let start = offset
    let value = try varint()
    guard value <= UInt64(limit) else {
      throw .malformed(offset: start, expected: "a count of at most \(limit)", found: "\(value)")
    }
    return Int(value)
  }

  /// The next `count` bytes, copied.
  public mutating func bytes(_ count: Int) throws(ByteError) -> [UInt8] {
    let at = try take(count)
    return bytes.withUnsafeBytes { all in
      [UInt8](unsafeUninitializedCapacity: count) { copy, initialized in
        UnsafeMutableRawBufferPointer(copy).copyMemory(from: UnsafeRawBufferPointer(rebasing: all[at..<at + count]))
        initialized = count
      }
    }
  }

  /// The range, within the array, of the next `count` bytes, which are passed over.
  public mutating func range(_ count: Int) throws(ByteError) -> Range<Int> {
    let at = try take(count)
    return at..<at + count
  }

  /// A byte string behind a varint of its length, refused above `limit`.
  public mutating func string(limit: Int) throws(ByteError) -> [UInt8] {
    let length = try count(limit: limit)
    return try bytes(length)
  }

  /// Refuses bytes that are left over.
  public func finish() throws(ByteError) {
    guard isAtEnd else {
      throw .malformed(offset: offset, expected: "the end", found: "\(remaining) more bytes")
    }
  }
}
