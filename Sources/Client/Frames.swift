import Bytes
import Wire

/// Puts payloads into frames (kv-wire(5)).
enum Frames {
  static func append(_ payload: [UInt8], kind: FrameKind, to bytes: inout [UInt8]) {
    let word = FrameHeader(kind: kind.rawValue, payloadBytes: payload.count).word
    withUnsafeBytes(of: word.littleEndian) { bytes.append(contentsOf: $0) }
    bytes.append(contentsOf: payload)
  }
}

/// Takes the payloads of responses out of the bytes that arrive, however they are cut.
struct FrameReader {
  /// Kept when it empties, unless it has grown large: memory that is asked for anew costs a fault for each page.
  private var bytes: [UInt8] = []
  private var taken = 0

  /// More than this is given back when there is nothing in it.
  private static let kept = ByteCount.kibibytes(512)

  /// Adds bytes that arrived, which are lent for the call.
  mutating func append(_ more: UnsafeRawBufferPointer) {
    if taken == bytes.count {
      bytes.removeAll(keepingCapacity: bytes.capacity <= FrameReader.kept.rawValue)
    } else if taken > 0 {
      bytes.removeSubrange(..<taken)
    }
    taken = 0
    bytes.append(contentsOf: more)
  }

  /// Lends the next whole payload; false where it waits for more bytes. Refuses whatever is not a response of bounded
  /// size.
  mutating func next(
    _ body: (UnsafeRawBufferPointer) throws(ChannelFailure) -> Void
  ) throws(ChannelFailure) -> Bool {
    guard bytes.count - taken >= FrameHeader.encodedBytes else { return false }
    var reader = ByteReader(bytes, range: taken..<bytes.count)
    let header: FrameHeader
    do throws(ByteError) {
      header = try FrameHeader(from: &reader)
    } catch {
      throw ChannelFailure(kind: .broken, words: "sent a frame that can't be read: \(error)")
    }
    guard header.kind == FrameKind.response.rawValue else {
      throw ChannelFailure(kind: .broken, words: "sent a frame of kind \(header.kind), which isn't a response")
    }
    let payload = reader.offset..<reader.offset + header.payloadBytes
    guard reader.remaining >= header.payloadBytes else {
      bytes.reserveCapacity(payload.upperBound)
      return false
    }
    taken = payload.upperBound
    // SAFETY: lent for the call, in which nothing changes the bytes.
    let failure = bytes.withUnsafeBytes { all in
      do throws(ChannelFailure) {
        try body(UnsafeRawBufferPointer(rebasing: all[payload]))
        return ChannelFailure?.none
      } catch {
        return error
      }
    }
    if let failure { throw failure }
    return true
  }
}
