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
  private var bytes: [UInt8] = []
  private var taken = 0

  /// Adds bytes that arrived.
  mutating func append(_ more: [UInt8]) {
    if taken == bytes.count {
      bytes = more
      taken = 0
    } else {
      if taken > 0 {
        bytes.removeSubrange(..<taken)
        taken = 0
      }
      bytes += more
    }
  }

  /// The next whole payload, or nil until more bytes arrive. Refuses whatever is not a response of bounded size.
  mutating func next() throws(ChannelFailure) -> [UInt8]? {
    guard bytes.count - taken >= FrameHeader.encodedBytes else { return nil }
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
    guard reader.remaining >= header.payloadBytes else { return nil }
    let start = reader.offset
    taken = start + header.payloadBytes
    return Array(bytes[start..<taken])
  }
}
