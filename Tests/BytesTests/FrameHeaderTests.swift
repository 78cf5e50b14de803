import Testing

@testable import Bytes

@Suite struct FrameHeaderTests {
  @Test("a header has this form: payload length, kind, wire version 1, two bytes of zero")
  func form() throws {
    let header = FrameHeader(kind: 7, payloadBytes: 0x0102)
    var writer = ByteWriter()
    header.encode(into: &writer)
    #expect(writer.bytes == [2, 1, 0, 0, 7, 1, 0, 0])
    #expect(writer.count == FrameHeader.encodedBytes)
    var reader = ByteReader(writer.bytes)
    #expect(try FrameHeader(from: &reader) == header)
  }

  @Test("another wire version, reserved bytes in use and payloads above the limit are refused")
  func refused() throws {
    let largest = FrameHeader(kind: 1, payloadBytes: Limits.frameBytes.rawValue)
    #expect(try FrameHeader(word: largest.word) == largest)
    #expect(throws: ByteError.self) { try FrameHeader(word: largest.word + 1) }
    #expect(throws: ByteError.self) { try FrameHeader(word: largest.word, limit: 100) }
    #expect(throws: ByteError.self) { try FrameHeader(word: 2 << 40) }
    #expect(throws: ByteError.self) { try FrameHeader(word: 0) }
    #expect(throws: ByteError.self) { try FrameHeader(word: 1 << 40 | 1 << 48) }
    #expect(throws: ByteError.self) { try FrameHeader(word: .max) }
    var short = ByteReader([0, 0, 0, 0, 1, 1, 0])
    #expect(throws: ByteError.truncated(offset: 0, needed: 8, available: 7)) { try FrameHeader(from: &short) }
  }

  @Test("any integer is refused or is the header of a payload within the limit")
  func fuzz() {
    for seed in 0..<UInt64(2000) {
      var random = SplitMix64(seed: seed)
      let word = random.next() & 0x0000_01ff_01ff_ffff | 1 << 40
      if let header = try? FrameHeader(word: word) {
        #expect(header.word == word && header.payloadBytes <= Limits.frameBytes.rawValue, "seed \(seed)")
      } else {
        #expect(UInt32(truncatingIfNeeded: word) > Limits.frameBytes.rawValue, "seed \(seed)")
      }
    }
  }
}
