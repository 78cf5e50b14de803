/// Base64 (RFC 4648 §4), and its form for URLs without padding (§5). Decoding takes the one canonical form alone.
enum Base64 {
  /// Which letters stand for 62 and 63, and whether the end is padded.
  enum Alphabet {
    case standard, url
  }

  static func encode(_ bytes: [UInt8], _ alphabet: Alphabet = .standard) -> String {
    let letters = Base64.letters(alphabet)
    var out: [UInt8] = []
    out.reserveCapacity((bytes.count + 2) / 3 * 4)
    for start in stride(from: 0, to: bytes.count, by: 3) {
      let part = bytes[start..<Swift.min(start + 3, bytes.count)]
      let word = part.reduce(0) { $0 << 8 | UInt32($1) } << (8 * UInt32(3 - part.count))
      for place in 0...part.count {
        out.append(letters[Int(word >> (18 - 6 * UInt32(place))) & 63])
      }
      if alphabet == .standard {
        out.append(contentsOf: repeatElement(UInt8(ascii: "="), count: 3 - part.count))
      }
    }
    return String(decoding: out, as: UTF8.self)
  }

  /// The bytes, or nil where the text is not exactly what `encode` gives for some bytes.
  static func decode(_ text: some Collection<UInt8>, _ alphabet: Alphabet = .standard) -> [UInt8]? {
    let values = Base64.values(alphabet)
    var out: [UInt8] = []
    out.reserveCapacity(text.count / 4 * 3 + 2)
    var word: UInt32 = 0
    var bits: UInt32 = 0
    var digits = 0
    var padding = 0
    for letter in text {
      if letter == UInt8(ascii: "="), alphabet == .standard {
        padding += 1
        continue
      }
      guard padding == 0, let value = values[Int(letter)] else { return nil }
      word = word << 6 | UInt32(value)
      bits += 6
      digits += 1
      if bits >= 8 {
        bits -= 8
        out.append(UInt8(truncatingIfNeeded: word >> bits))
      }
    }
    // What is left over is fewer than a letter's bits, all zero; padding fills the last group of four.
    guard bits < 6, word & (1 << bits - 1) == 0 else { return nil }
    guard alphabet == .url || padding < 3 && (digits + padding) % 4 == 0 else { return nil }
    return out
  }

  private static func letters(_ alphabet: Alphabet) -> [UInt8] {
    switch alphabet {
    case .standard: standardLetters
    case .url: urlLetters
    }
  }

  private static func values(_ alphabet: Alphabet) -> [UInt8?] {
    switch alphabet {
    case .standard: standardValues
    case .url: urlValues
    }
  }

  private static let common = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789".utf8)
  private static let standardLetters = common + Array("+/".utf8)
  private static let urlLetters = common + Array("-_".utf8)
  private static let standardValues = inverse(standardLetters)
  private static let urlValues = inverse(urlLetters)

  private static func inverse(_ letters: [UInt8]) -> [UInt8?] {
    var values = [UInt8?](repeating: nil, count: 256)
    for (value, letter) in letters.enumerated() { values[Int(letter)] = UInt8(value) }
    return values
  }
}
