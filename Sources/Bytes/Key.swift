public import Glibc

/// A key: any bytes, ordered as unsigned bytes with a shorter key before any that it is a prefix of.
public struct Key: Hashable, Comparable, Sendable {
  /// The bytes of the key.
  public let bytes: [UInt8]

  /// A key of exactly these bytes. Its length is checked where it enters the system (`Limits.keyBytes`).
  public init(_ bytes: [UInt8]) {
    self.bytes = bytes
  }

  /// A key of the string's UTF-8 bytes.
  public init(_ string: String) {
    self.bytes = Array(string.utf8)
  }

  /// Unsigned byte order.
  public static func < (left: Key, right: Key) -> Bool {
    compareBytes(left.bytes, right.bytes) < 0
  }

  /// The first key after every key that starts with this one, or nil where there is none (all bytes 0xff).
  public var successorOfPrefix: Key? {
    guard let last = bytes.lastIndex(where: { $0 != 0xff }) else { return nil }
    var end = Array(bytes[...last])
    end[last] += 1
    return Key(end)
  }

  /// The first key after this one: the key followed by a zero byte.
  public var successor: Key {
    Key(bytes + [0])
  }
}

/// Compares two byte strings as unsigned bytes: negative, zero or positive as `memcmp`, the shorter first on a tie.
@inlinable
public func compareBytes(_ left: [UInt8], _ right: [UInt8]) -> Int {
  left.withUnsafeBytes { l in right.withUnsafeBytes { r in compareBytes(l, r) } }
}

/// Compares two buffers as unsigned bytes: negative, zero or positive as `memcmp`, the shorter first on a tie.
///
/// Keys are short: a few words are compared here, before it is worth a call.
@inlinable
public func compareBytes(_ left: UnsafeRawBufferPointer, _ right: UnsafeRawBufferPointer) -> Int {
  // SAFETY: both buffers are valid for the `common` bytes that are compared; memcmp only reads.
  let common = Swift.min(left.count, right.count)
  guard common > 0, let l = left.baseAddress, let r = right.baseAddress else { return left.count - right.count }
  var at = 0
  while at &+ 8 <= common, at < 32 {
    let a = l.loadUnaligned(fromByteOffset: at, as: UInt64.self)
    let b = r.loadUnaligned(fromByteOffset: at, as: UInt64.self)
    if a != b { return a.byteSwapped < b.byteSwapped ? -1 : 1 }
    at &+= 8
  }
  if at < common {
    let order = memcmp(l + at, r + at, common &- at)
    if order != 0 { return Int(order) }
  }
  return left.count - right.count
}
