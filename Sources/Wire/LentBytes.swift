internal import SwiftProtobuf

/// Bytes of somebody else's, to decode a message from without copying them first.
///
/// SAFETY: lives within one call of a decoder, during which the owner keeps the bytes; a decoded message holds copies.
struct LentBytes: SwiftProtobufContiguousBytes {
  let bytes: UnsafeRawBufferPointer

  init(bytes: UnsafeRawBufferPointer) {
    self.bytes = bytes
  }

  // The protocol asks for these two; decoding never makes bytes.
  init(repeating: UInt8, count: Int) { preconditionFailure("lent bytes are never made") }
  init<Others: Sequence>(_ sequence: Others) where Others.Element == UInt8 {
    preconditionFailure("lent bytes are never made")
  }

  var count: Int { bytes.count }

  func withUnsafeBytes<Result>(_ body: (UnsafeRawBufferPointer) throws -> Result) rethrows -> Result {
    try body(bytes)
  }

  mutating func withUnsafeMutableBytes<Result>(
    _ body: (UnsafeMutableRawBufferPointer) throws -> Result
  ) rethrows -> Result {
    preconditionFailure("lent bytes are never written")
  }
}
