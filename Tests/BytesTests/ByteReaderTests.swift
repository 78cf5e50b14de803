import Testing

@testable import Bytes

@Suite struct ByteReaderTests {
  @Test("what a writer wrote, a reader reads: integers are little-endian")
  func roundTrip() throws {
    var writer = ByteWriter(capacity: 3)
    writer.u8(0xfe)
    writer.u16(0x0102)
    writer.u32(0x0304_0506)
    writer.u64(0x0708_090a_0b0c_0d0e)
    writer.varint(300)
    writer.string([7, 8])
    writer.raw([9])
    #expect(
      writer.bytes == [
        0xfe, 2, 1, 6, 5, 4, 3, 0x0e, 0x0d, 0x0c, 0x0b, 0x0a, 9, 8, 7, 0xac, 2, 2, 7, 8, 9,
      ])
    var reader = ByteReader(writer.bytes)
    #expect(try reader.u8() == 0xfe)
    #expect(try reader.u16() == 0x0102)
    #expect(try reader.u32() == 0x0304_0506)
    #expect(try reader.u64() == 0x0708_090a_0b0c_0d0e)
    #expect(try reader.varint() == 300)
    #expect(try reader.string(limit: 2) == [7, 8])
    #expect(throws: ByteError.malformed(offset: 20, expected: "the end", found: "1 more bytes")) { try reader.finish() }
    #expect(try reader.range(1) == 20..<21)
    #expect(reader.isAtEnd && reader.remaining == 0)
    try reader.finish()
  }

  @Test("patches overwrite what was written before, and emptying keeps nothing")
  func patch() {
    var writer = ByteWriter()
    writer.raw([UInt8](repeating: 1, count: 14))
    writer.patch(u32: 0x0a0b_0c0d, at: 1)
    writer.patch(u64: 2, at: 6)
    #expect(writer.bytes == [1, 0x0d, 0x0c, 0x0b, 0x0a, 1, 2, 0, 0, 0, 0, 0, 0, 0])
    [UInt8(5), 6].withUnsafeBytes { writer.raw($0) }
    #expect(writer.count == 16)
    writer.removeAll()
    #expect(writer.bytes.isEmpty)
  }

  @Test("a field that the bytes end within is refused, and nothing of it is read")
  func truncated() {
    let bytes: [UInt8] = [1, 2, 3, 4, 5, 6, 7]
    var reader = ByteReader(bytes, range: 2..<7)
    #expect(throws: ByteError.truncated(offset: 2, needed: 8, available: 5)) { try reader.u64() }
    #expect(throws: ByteError.truncated(offset: 2, needed: 6, available: 5)) { try reader.bytes(6) }
    #expect(throws: ByteError.truncated(offset: 2, needed: .max, available: 5)) { try reader.range(.max) }
    #expect(throws: ByteError.truncated(offset: 2, needed: -1, available: 5)) { try reader.bytes(-1) }
    #expect(reader.offset == 2)
    #expect((try? reader.u32()) == 0x0605_0403)
    #expect(throws: ByteError.truncated(offset: 6, needed: 4, available: 1)) { try reader.u32() }
    #expect(throws: ByteError.truncated(offset: 6, needed: 2, available: 1)) { try reader.u16() }
    #expect((try? reader.u8()) == 7)
    #expect(throws: ByteError.truncated(offset: 7, needed: 1, available: 0)) { try reader.u8() }
    #expect(throws: ByteError.truncated(offset: 7, needed: 1, available: 0)) { try reader.varint() }
  }

  @Test("a varint has one form, the shortest")
  func varint() throws {
    for (value, bytes): (UInt64, [UInt8]) in [
      (0, [0]), (1, [1]), (127, [127]), (128, [0x80, 1]), (16_383, [0xff, 0x7f]), (16_384, [0x80, 0x80, 1]),
      (.max, [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1]),
    ] {
      var writer = ByteWriter()
      writer.varint(value)
      #expect(writer.bytes == bytes)
      var reader = ByteReader(bytes)
      #expect(try reader.varint() == value)
    }
    for bytes: [UInt8] in [
      [0x80, 0], [0xff, 0x80, 0], [UInt8](repeating: 0xff, count: 9) + [2], [UInt8](repeating: 0x80, count: 10) + [1],
      [UInt8](repeating: 0xff, count: 100), [UInt8](repeating: 0x80, count: 9) + [0x81, 0],
    ] {
      var reader = ByteReader(bytes)
      #expect(throws: ByteError.self, "\(bytes)") { try reader.varint() }
    }
  }

  @Test("a count above its limit is refused before anything of that size is read or made")
  func limits() {
    var writer = ByteWriter()
    writer.varint(.max)
    var reader = ByteReader(writer.bytes)
    #expect(
      throws: ByteError.malformed(offset: 0, expected: "a count of at most 9", found: "18446744073709551615")
    ) { try reader.string(limit: 9) }
    var short = ByteReader([5, 1, 2])
    #expect(throws: ByteError.truncated(offset: 1, needed: 5, available: 2)) { try short.string(limit: 9) }
  }

  @Test("on random bytes a reader never leaves its range, and what it accepts is canonical")
  func fuzz() {
    for seed in 0..<UInt64(1500) {
      var random = SplitMix64(seed: seed)
      let bytes = (0..<Int.random(in: 0...40, using: &random)).map { _ in
        Bool.random(using: &random) ? UInt8.random(in: 0...255, using: &random) : 0x80
      }
      let low = Int.random(in: 0...bytes.count, using: &random)
      let range = low..<Int.random(in: low...bytes.count, using: &random)
      var reader = ByteReader(bytes, range: range)
      for _ in 0..<30 {
        let start = reader.offset
        var writer = ByteWriter()
        do {
          switch Int.random(in: 0..<7, using: &random) {
          case 0: writer.u8(try reader.u8())
          case 1: writer.u16(try reader.u16())
          case 2: writer.u32(try reader.u32())
          case 3: writer.u64(try reader.u64())
          case 4: writer.varint(try reader.varint())
          case 5: writer.string(try reader.string(limit: 20))
          default: writer.raw(bytes[try reader.range(Int.random(in: 0...9, using: &random))])
          }
          #expect(Array(bytes[start..<reader.offset]) == writer.bytes, "seed \(seed)")
        } catch {
          #expect(error.description.contains("at byte"), "seed \(seed)")
        }
        #expect(reader.offset >= start && reader.offset <= range.upperBound, "seed \(seed)")
        #expect(reader.remaining == range.upperBound - reader.offset, "seed \(seed)")
      }
    }
  }
}
