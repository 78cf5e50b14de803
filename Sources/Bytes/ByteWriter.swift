/// Appends fixed-width little-endian integers, varints and byte strings to a growing array.
public struct ByteWriter {
  /// What was written so far.
  public private(set) var bytes: [UInt8]

  /// An empty writer with room for `capacity` bytes.
  public init(capacity: Int = 0) {
    bytes = []
    bytes.reserveCapacity(capacity)
  }

  /// The number of bytes written.
  public var count: Int { bytes.count }

  /// Appends one byte.
  public mutating func u8(_ value: UInt8) { bytes.append(value) }

  /// Appends two bytes, little-endian.
  public mutating func u16(_ value: UInt16) { append(value.littleEndian) }

  /// Appends four bytes, little-endian.
  public mutating func u32(_ value: UInt32) { append(value.littleEndian) }

  /// Appends eight bytes, little-endian.
  public mutating func u64(_ value: UInt64) { append(value.littleEndian) }

  private mutating func append<T: FixedWidthInteger & BitwiseCopyable>(_ value: T) {
    append(upTo: MemoryLayout<T>.size) { room in
      // SAFETY: there is room for the integer, and nothing in it yet.
      room.storeBytes(of: value, as: T.self)
      return MemoryLayout<T>.size
    }
  }

  /// Lets `fill` append up to so many bytes, of which it gives the count: several things at once, as where each by itself
  /// would ask anew whether there is room.
  ///
  /// SAFETY: the buffer has room for them, holds nothing yet, and is lent for the call.
  @inline(__always)
  mutating func append(upTo count: Int, _ fill: (UnsafeMutableRawBufferPointer) -> Int) {
    bytes.append(addingCapacity: count) { span in
      span.withUnsafeMutableBufferPointer { room, filled in
        filled = fill(UnsafeMutableRawBufferPointer(room))
      }
    }
  }

  /// The most bytes that a varint takes.
  static let longestVarint = 10

  /// Writes a varint as `varint` does, at a place where there is room for `longestVarint` bytes; gives the place behind it.
  @inline(__always)
  static func store(varint value: UInt64, in room: UnsafeMutableRawBufferPointer, at start: Int) -> Int {
    var (rest, at) = (value, start)
    while rest >= 0x80 {
      room[at] = UInt8(truncatingIfNeeded: rest) | 0x80
      rest >>= 7
      at &+= 1
    }
    room[at] = UInt8(rest)
    return at &+ 1
  }

  /// Appends an unsigned LEB128 integer in its shortest form.
  public mutating func varint(_ value: UInt64) {
    var rest = value
    while rest >= 0x80 {
      bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
      rest >>= 7
    }
    bytes.append(UInt8(rest))
  }

  /// Appends bytes as they are.
  public mutating func raw(_ more: some Collection<UInt8>) { bytes.append(contentsOf: more) }

  /// Appends the bytes of a buffer as they are.
  public mutating func raw(_ more: UnsafeRawBufferPointer) { bytes.append(contentsOf: more) }

  /// Appends a byte string behind a varint of its length.
  public mutating func string(_ value: [UInt8]) {
    varint(UInt64(value.count))
    bytes.append(contentsOf: value)
  }

  /// Overwrites four bytes written before: a length or checksum known only afterwards.
  public mutating func patch(u32 value: UInt32, at offset: Int) { patch(value.littleEndian, at: offset) }

  /// Overwrites eight bytes written before.
  public mutating func patch(u64 value: UInt64, at offset: Int) { patch(value.littleEndian, at: offset) }

  private mutating func patch<T: FixedWidthInteger>(_ value: T, at offset: Int) {
    precondition(offset >= 0 && offset + MemoryLayout<T>.size <= bytes.count)
    // SAFETY: the precondition keeps the stored integer within the array, whose buffer lives for the call.
    bytes.withUnsafeMutableBytes { $0.storeBytes(of: value, toByteOffset: offset, as: T.self) }
  }

  /// Forgets what was written and keeps the room.
  public mutating func removeAll() { bytes.removeAll(keepingCapacity: true) }
}
