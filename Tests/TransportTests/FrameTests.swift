import Bytes
import NIOCore
import Testing

@testable import Transport

@Suite("Frames")
struct FrameTests {
  @Test("A header is eight bytes: length u32, kind u8, version u8, two zeros, little-endian")
  func layout() throws {
    #expect(frame(7, [0xaa, 0xbb]) == [2, 0, 0, 0, 7, 1, 0, 0, 0xaa, 0xbb])
    var reader = ByteReader([0, 0, 1, 0, 255, 1, 0, 0])
    let header = try FrameHeader(from: &reader)
    #expect(header.payloadBytes == 65_536)
    #expect(header.kind == 255)
  }

  @Test("Other versions, reserved bytes that are not zero, and payloads above the limit are refused")
  func refused() {
    let bad: [[UInt8]] = [
      [0, 0, 0, 0, 1, 0, 0, 0], [0, 0, 0, 0, 1, 2, 0, 0], [0, 0, 0, 0, 1, 1, 1, 0], [0, 0, 0, 0, 1, 1, 0, 128],
      [1, 0, 0, 1, 1, 1, 0, 0], [255, 255, 255, 255, 1, 1, 0, 0],
    ]
    for bytes in bad {
      var reader = ByteReader(bytes)
      #expect(throws: ByteError.self) { try FrameHeader(from: &reader) }
    }
    var exact = ByteReader([0, 0, 0, 1, 1, 1, 0, 0])
    #expect(throws: Never.self) { try FrameHeader(from: &exact) }
    var short = ByteReader([0, 0, 0, 0, 1, 1, 0])
    #expect(throws: ByteError.self) { try FrameHeader(from: &short) }
  }

  @Test("Frames of any size come out whole and in order, in whatever pieces they come in")
  func pieces() throws {
    let seed: UInt64 = 17
    var random = SplitMix64(seed: seed)
    for _ in 0..<50 {
      let sizes = [0, 1, 7, 8, 9, 300, 5_000, 70_000]
      let sent = (0..<40).map { kind in (UInt8(kind), randomBytes(sizes.randomElement(using: &random) ?? 0, &random)) }
      let stream = sent.flatMap { frame($0.0, $0.1) }
      var got: [(UInt8, [UInt8])] = []
      var decoder = FrameDecoder()
      var at = 0
      while at < stream.count {
        let end = min(stream.count, at + Int.random(in: 1...9_000, using: &random))
        decoder.write(minimumBytes: end - at) { room in
          room.copyBytes(from: stream[at..<end])
          return end - at
        }
        at = end
        while try decoder.next({ got.append(($0, Array($1))) }) {}
        decoder.compact()
      }
      #expect(got.map(\.0) == sent.map(\.0), "seed \(seed)")
      #expect(got.map(\.1) == sent.map(\.1), "seed \(seed)")
      #expect(decoder.buffer.readableBytes == 0)
    }
  }

  @Test("An announced length costs no more memory than a step ahead of what has arrived")
  func announced() throws {
    var decoder = FrameDecoder()
    let header = FrameHeader(kind: 1, payloadBytes: Limits.frameBytes.rawValue).word
    decoder.write(minimumBytes: 8) { room in
      room.storeBytes(of: header.littleEndian, as: UInt64.self)
      return 8
    }
    #expect(try decoder.next { _, _ in Issue.record("no frame is whole") } == false)
    #expect(decoder.buffer.capacity <= 2 * Limits.frameReserve.rawValue)
  }

  @Test("The room that a large frame took is given back")
  func givesBack() throws {
    var decoder = FrameDecoder()
    let bytes = frame(1, [UInt8](repeating: 1, count: 4 << 20))
    decoder.write(minimumBytes: bytes.count) { room in
      room.copyBytes(from: bytes)
      return bytes.count
    }
    var count = 0
    while try decoder.next({ count += $1.count }) {}
    #expect(count == 4 << 20)
    decoder.compact()
    #expect(decoder.buffer.capacity <= Limits.keptBuffer.rawValue)
  }
}
