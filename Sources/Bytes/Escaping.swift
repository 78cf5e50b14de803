/// The escaping of `tsv` output and of terminals: one line of printable bytes for any byte string, and back.
///
/// Backslash, tab, newline and carriage return become `\\ \t \n \r`; other control bytes and bytes that are not
/// part of valid UTF-8 become `\xHH`. The form is canonical: unescaping gives exactly the bytes escaped.
public enum Escaping {
  /// The escaped form of a byte string, as UTF-8.
  public static func escape(_ bytes: [UInt8]) -> [UInt8] { escape(bytes, keepsBackslashes: false) }

  private static func escape(_ bytes: [UInt8], keepsBackslashes: Bool) -> [UInt8] {
    var out: [UInt8] = []
    out.reserveCapacity(bytes.count)
    bytes.withUnsafeBytes { append($0, to: &out, keepsBackslashes: keepsBackslashes) }
    return out
  }

  /// Appends the escaped form of a byte string, as UTF-8.
  ///
  /// SAFETY: the buffer is lent for the call; every place that is read lies before its end.
  public static func append(
    _ bytes: UnsafeRawBufferPointer, to out: inout [UInt8], keepsBackslashes: Bool = false
  ) {
    var at = 0
    while at < bytes.count {
      let stop = min(at + pieceBytes, bytes.count)
      // The last character of a piece may end behind it, and none takes more room than four for a byte.
      out.append(addingCapacity: 4 * (stop - at) + 4) { room in
        room.withUnsafeMutableBufferPointer { target, count in
          var writer = Writer(target: UnsafeMutableRawBufferPointer(target), end: count)
          at = escape(bytes, at..<stop, to: &writer, keepsBackslashes: keepsBackslashes)
          count = writer.end
        }
      }
    }
  }

  /// As much is escaped at once; room for four times of it is made ready.
  private static let pieceBytes = 1024

  /// Room that is filled from its start.
  ///
  /// SAFETY: only debug builds check that what is put lies within `target`: whoever makes the room ready counts it.
  private struct Writer {
    let target: UnsafeMutableRawBufferPointer
    var end: Int

    @inline(__always)
    mutating func put<Word: FixedWidthInteger>(_ word: Word) {
      target.storeBytes(of: word.littleEndian, toByteOffset: end, as: Word.self)
      end += MemoryLayout<Word>.size
    }
  }

  /// Escapes the characters that begin in a range; gives where the last one ends.
  private static func escape(
    _ bytes: UnsafeRawBufferPointer, _ range: Range<Int>, to out: inout Writer, keepsBackslashes: Bool
  ) -> Int {
    (keepsBackslashes ? formsWithBackslashes : forms).withUnsafeBufferPointer { forms in
      var at = range.lowerBound
      while at < range.upperBound {
        if at + 8 <= range.upperBound {
          let word = UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: at, as: UInt64.self))
          if isPlain(word) {
            out.put(word)
            at += 8
            continue
          }
        }
        // Where one byte is not plain others seldom are far: eight of them, one by one.
        let stop = min(at + 8, range.upperBound)
        while at < stop {
          let byte = bytes[at]
          let length = byte < 0xc2 ? 0 : utf8Length(bytes, at)
          if length == 0 {
            let form = forms[Int(byte)]
            out.put(form.word)
            out.end -= 4 - Int(form.bytes)
            at += 1
          } else {
            for place in at..<at + length { out.put(bytes[place]) }
            at += length
          }
        }
      }
      return at
    }
  }

  /// How a byte alone is written: up to four bytes, the first one lowest.
  private struct Form {
    var word: UInt32 = 0
    var bytes: UInt8 = 0

    init(_ text: some Sequence<UInt8>) {
      for byte in text {
        word |= UInt32(byte) << (8 * UInt32(bytes))
        bytes += 1
      }
    }
  }

  private static let forms = (0...255 as ClosedRange<UInt8>).map { Form(form(of: $0)) }
  private static let formsWithBackslashes = (0...255 as ClosedRange<UInt8>).map { byte in
    Form(byte == UInt8(ascii: "\\") ? [byte] : form(of: byte))
  }

  private static func form(of byte: UInt8) -> [UInt8] {
    let digits = Array("0123456789abcdef".utf8)
    switch byte {
    case UInt8(ascii: "\\"): return Array(#"\\"#.utf8)
    case UInt8(ascii: "\t"): return Array(#"\t"#.utf8)
    case UInt8(ascii: "\n"): return Array(#"\n"#.utf8)
    case UInt8(ascii: "\r"): return Array(#"\r"#.utf8)
    case 0x20..<0x7f: return [byte]
    default: return Array(#"\x"#.utf8) + [digits[Int(byte >> 4)], digits[Int(byte & 15)]]
    }
  }

  /// Whether eight bytes certainly stand for themselves.
  @inline(__always)
  private static func isPlain(_ word: UInt64) -> Bool {
    let (ones, highs): (UInt64, UInt64) = (0x0101_0101_0101_0101, 0x8080_8080_8080_8080)
    // The high bit of each byte that is zero, and perhaps of others behind such a one.
    func zeros(_ word: UInt64) -> UInt64 { (word &- ones) & ~word & highs }
    let controls = (word &- ones &* 0x20) & ~word
    return (word | controls) & highs | zeros(word ^ ones &* 0x7f) | zeros(word ^ ones &* 0x5c) == 0
  }

  /// The escaped form as a string.
  public static func text(_ bytes: [UInt8]) -> String {
    String(decoding: escape(bytes), as: UTF8.self)
  }

  /// Somebody's words as one line that is safe on a terminal. What they quote is escaped already: backslashes stay.
  public static func line(_ words: some StringProtocol) -> String {
    String(decoding: escape(Array(words.utf8), keepsBackslashes: true), as: UTF8.self)
  }

  /// The bytes that an escaped form stands for.
  public static func unescape(_ text: some Collection<UInt8>) throws(ByteError) -> [UInt8] {
    var failure: ByteError?
    let found = text.withContiguousStorageIfAvailable { text in
      [UInt8](unsafeUninitializedCapacity: text.count) { out, count in
        do throws(ByteError) {
          try unescape(text, into: out, &count)
        } catch {
          failure = error
        }
      }
    }
    guard let found else { return try unescape(Array(text)) }
    if let failure { throw failure }
    return found
  }

  /// SAFETY: `out` has room for as many bytes as `text`; no form is shorter than what it stands for.
  private static func unescape(
    _ text: UnsafeBufferPointer<UInt8>, into out: UnsafeMutableBufferPointer<UInt8>, _ count: inout Int
  ) throws(ByteError) {
    var at = 0
    func next() -> UInt8? {
      guard at < text.count else { return nil }
      defer { at += 1 }
      return text[at]
    }
    while let byte = next() {
      var meant = byte
      if byte == UInt8(ascii: "\\") {
        switch next() {
        case UInt8(ascii: "\\"): break
        case UInt8(ascii: "t"): meant = UInt8(ascii: "\t")
        case UInt8(ascii: "n"): meant = UInt8(ascii: "\n")
        case UInt8(ascii: "r"): meant = UInt8(ascii: "\r")
        case UInt8(ascii: "x"):
          let start = at
          guard let high = next().flatMap(hexValue), let low = next().flatMap(hexValue) else {
            throw .malformed(offset: start - 1, expected: "two hexadecimal digits after \\x", found: "something else")
          }
          meant = high << 4 | low
        case let other:
          let found = other.map { "\\" + String(UnicodeScalar($0)) } ?? "the end"
          throw .malformed(offset: at - (other == nil ? 0 : 1), expected: #"one of \\ \t \n \r \xHH"#, found: found)
        }
      }
      out.initializeElement(at: count, to: meant)
      count += 1
    }
  }

  private static func hexValue(_ digit: UInt8) -> UInt8? {
    switch digit {
    case UInt8(ascii: "0")...UInt8(ascii: "9"): digit - UInt8(ascii: "0")
    case UInt8(ascii: "a")...UInt8(ascii: "f"): digit - UInt8(ascii: "a") + 10
    case UInt8(ascii: "A")...UInt8(ascii: "F"): digit - UInt8(ascii: "A") + 10
    default: nil
    }
  }

  /// The length of the valid multi-byte UTF-8 sequence at an offset, or 0 (Unicode table 3-7). C1 control
  /// characters (U+0080 to U+009F) count as invalid, so that none reaches a terminal.
  private static func utf8Length(_ bytes: UnsafeRawBufferPointer, _ at: Int) -> Int {
    let lead = bytes[at]
    let (length, second): (Int, ClosedRange<UInt8>) =
      switch lead {
      case 0xc2: (2, 0xa0...0xbf)
      case 0xc3...0xdf: (2, 0x80...0xbf)
      case 0xe0: (3, 0xa0...0xbf)
      case 0xed: (3, 0x80...0x9f)
      case 0xe1...0xef: (3, 0x80...0xbf)
      case 0xf0: (4, 0x90...0xbf)
      case 0xf1...0xf3: (4, 0x80...0xbf)
      case 0xf4: (4, 0x80...0x8f)
      default: (0, 0x80...0xbf)
      }
    guard length > 0, at + length <= bytes.count, second.contains(bytes[at + 1]) else { return 0 }
    for next in (at + 2)..<Swift.max(at + 2, at + length) where !(0x80...0xbf).contains(bytes[next]) { return 0 }
    return length
  }
}

extension Escaping {
  /// Whether the bytes are valid UTF-8 and so fit a JSON string (C1 controls are allowed there, as `\u0080`).
  public static func isUTF8(_ bytes: [UInt8]) -> Bool {
    String(validating: bytes, as: UTF8.self) != nil
  }
}
