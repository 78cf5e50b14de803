import Testing

@testable import Bytes

@Suite struct EscapingTests {
  @Test(
    "known bytes have known forms",
    arguments: [
      ([], ""), (Array("plain text é €😀".utf8), "plain text é €😀"), (Array("a\tb\nc\rd\\e".utf8), #"a\tb\nc\rd\\e"#),
      ([0, 1, 0x1b, 0x7f], #"\x00\x01\x1b\x7f"#), ([0xff, 0xfe, 0x61], #"\xff\xfea"#),
      // Overlong, a surrogate, above U+10FFFF, cut short, a continuation alone.
      ([0xc0, 0xaf], #"\xc0\xaf"#), ([0xe0, 0x80, 0x80], #"\xe0\x80\x80"#), ([0xed, 0xa0, 0x80], #"\xed\xa0\x80"#),
      ([0xf4, 0x90, 0x80, 0x80], #"\xf4\x90\x80\x80"#), ([0xe2, 0x82], #"\xe2\x82"#), ([0x80], #"\x80"#),
      ([0xe2, 0x82, 0x61], #"\xe2\x82a"#),
      // U+009B begins a control sequence on some terminals; U+00A0 does not.
      ([0xc2, 0x9b, 0xc2, 0xa0], "\\xc2\\x9b\u{a0}"),
    ] as [([UInt8], String)])
  func known(bytes: [UInt8], text: String) throws {
    #expect(Escaping.text(bytes) == text)
    #expect(try Escaping.unescape(Array(text.utf8)) == bytes)
  }

  @Test("any bytes come back from their escaped form, which is one line of valid, printable text")
  func roundTrip() throws {
    for seed in 0..<UInt64(2000) {
      var random = SplitMix64(seed: seed)
      let bytes = (0..<Int.random(in: 0...40, using: &random)).flatMap { _ -> [UInt8] in
        switch Int.random(in: 0..<4, using: &random) {
        case 0: [UInt8.random(in: 0...255, using: &random)]
        case 1: Array(#"\x"#.utf8)
        case 2: [UInt8.random(in: 0xc0...0xf5, using: &random), 0x80, 0x9f, 0xbf]
        default: Array(String(UnicodeScalar(UInt32.random(in: 0...0xd7ff, using: &random)) ?? "x").utf8)
        }
      }
      let escaped = Escaping.escape(bytes)
      #expect(try Escaping.unescape(escaped) == bytes, "seed \(seed)")
      #expect(Escaping.isUTF8(escaped), "seed \(seed)")
      let scalars = Escaping.text(bytes).unicodeScalars
      #expect(scalars.allSatisfy { $0.properties.generalCategory != .control }, "seed \(seed)")
    }
  }

  @Test("different bytes never have the same form")
  func injective() {
    let alphabet: [UInt8] = [0x5c, 0x78, 0x30, 0x0a, 0x6e, 0xff, 0x66, 0xc2, 0xa0]
    var random = SplitMix64(seed: 4)
    var seen: [[UInt8]: [UInt8]] = [:]
    for _ in 0..<5000 {
      let bytes = (0..<Int.random(in: 0...3, using: &random)).map { _ in alphabet[Int.random(in: 0..<9, using: &random)]
      }
      let escaped = Escaping.escape(bytes)
      #expect(seen[escaped, default: bytes] == bytes)
      seen[escaped] = bytes
    }
  }

  @Test("what is escaped piece by piece is whole: characters over an edge, and none that takes more room than there is")
  func largeOnes() throws {
    let tail = Array("é€😀".utf8) + [0xf0, 0x9f, 0x98, 0x0a] + Array("\\ plain text behind it".utf8)
    for length in 1015...1030 {
      for filler in [UInt8(ascii: "a"), 0, 0xff] {
        let head = [UInt8](repeating: filler, count: length)
        #expect(
          Escaping.escape(head + tail + head) == Escaping.escape(head) + Escaping.escape(tail) + Escaping.escape(head))
      }
    }
    var random = SplitMix64(seed: 11)
    let bytes = (0..<100_000).map { _ in UInt8.random(in: 0...255, using: &random) }
    #expect(try Escaping.unescape(Escaping.escape(bytes)) == bytes)
  }

  @Test("a byte is escaped the same wherever among others it stands")
  func everyPlace() {
    for byte in 0...255 as ClosedRange<UInt8> {
      let alone = Escaping.escape([byte])
      for before in 0...17 {
        let (left, right) = (Array(repeating: UInt8(ascii: "a"), count: before), Array(" ~!/0".utf8))
        #expect(Escaping.escape(left + [byte] + right) == left + alone + right, "byte \(byte) behind \(before)")
      }
    }
  }

  @Test(
    "a broken escape is refused with its place",
    arguments: [
      (#"\"#, 1), (#"ab\q"#, 3), (#"\x"#, 1), (#"\x4"#, 1), (#"a\xg0"#, 2), (#"\\\0"#, 3),
    ])
  func broken(text: String, place: Int) {
    let error = #expect(throws: ByteError.self) { try Escaping.unescape(Array(text.utf8)) }
    guard case .malformed(offset: place, _, _)? = error else {
      Issue.record("\(text): \(String(describing: error))")
      return
    }
  }

  @Test("capital hexadecimal digits and bytes that need no escape are taken as well")
  func lenient() throws {
    #expect(try Escaping.unescape(Array(#"\xFF\x41"#.utf8)) == [0xff, 0x41])
    #expect(try Escaping.unescape([0xff, 0]) == [0xff, 0])
  }

  @Test("UTF-8 is told from other bytes")
  func utf8() {
    #expect(Escaping.isUTF8(Array("é€😀\u{9b}\0".utf8)))
    #expect(!Escaping.isUTF8([0xc0, 0xaf]))
    #expect(!Escaping.isUTF8([0xed, 0xa0, 0x80]))
  }
}
