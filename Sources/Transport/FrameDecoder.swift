internal import Bytes
internal import NIOCore

/// Cuts a stream of plaintext into frames. Bytes are written straight into `buffer` and frames lent out of it.
struct FrameDecoder {
  /// Plaintext that is not yet part of a whole frame.
  private(set) var buffer = ByteBuffer()
  /// The largest payload that is accepted.
  var limit = Limits.frameBytes.rawValue

  /// Lets `fill` write plaintext; it gives the number of bytes written.
  mutating func write<Failure: Error>(
    minimumBytes: Int, _ fill: (UnsafeMutableRawBufferPointer) throws(Failure) -> Int
  ) throws(Failure) {
    try buffer.writeWithUnsafeMutableBytes(minimumWritableBytes: minimumBytes, fill)
  }

  /// Takes the next whole frame and lends its payload; false where there is none yet.
  mutating func next(_ body: (UInt8, UnsafeRawBufferPointer) -> Void) throws(ByteError) -> Bool {
    guard let word = buffer.getInteger(at: buffer.readerIndex, endianness: .little, as: UInt64.self) else {
      return false
    }
    let header = try FrameHeader(word: word, limit: limit)
    let count = FrameHeader.encodedBytes + header.payloadBytes
    let missing = count - buffer.readableBytes
    guard missing <= 0 else {
      // Room is made as bytes arrive: an announced length alone must not cost memory.
      buffer.reserveCapacity(minimumWritableBytes: min(missing, Limits.frameReserve.rawValue))
      return false
    }
    buffer.withUnsafeReadableBytes { bytes in
      // SAFETY: `count` bytes are readable, as checked above; the view is valid until the closure ends.
      body(header.kind, UnsafeRawBufferPointer(rebasing: bytes[FrameHeader.encodedBytes..<count]))
    }
    buffer.moveReaderIndex(forwardBy: count)
    return true
  }

  /// Gives up room that is no longer needed. Call after the last of the frames that arrived was taken.
  mutating func compact() {
    if buffer.readableBytes > 0 {
      buffer.discardReadBytes()
    } else if buffer.capacity > Limits.keptBuffer.rawValue {
      buffer = ByteBuffer()
    } else {
      buffer.clear()
    }
  }
}
