import Bytes

/// What is wrong with a JSON text.
struct JSONError: Error, Equatable {
  let words: String
}

/// Reads one flat JSON object (RFC 8259) and keeps the members that are wanted, which must be strings. The others are
/// checked and passed over.
struct JSONReader {
  private let text: [UInt8]
  private var at = 0

  /// How deep a member that is passed over may nest: what reads it calls itself.
  private static let deepest = 64
  /// How many bytes of a value an error shows.
  private static let longestShown = 60

  init(_ text: [UInt8]) {
    self.text = text
  }

  /// The wanted members of the object, which must be all that the text holds. A member that `choices` names must be one
  /// of those words.
  mutating func members(
    wanted: Set<String>, choices: [String: [String]] = [:]
  ) throws(JSONError) -> [String: [UInt8]] {
    guard Escaping.isUTF8(text) else { throw JSONError(words: "expected JSON in UTF-8, found other bytes") }
    var found: [String: [UInt8]] = [:]
    try expect("{")
    if !skip("}") {
      repeat {
        let name = String(decoding: try string(), as: UTF8.self)
        try expect(":")
        if wanted.contains(name) || choices[name] != nil {
          let value = if let words = choices[name] { try choice(words, name) } else { try string() }
          guard found.updateValue(value, forKey: name) == nil else {
            throw JSONError(words: "expected each member once, found \(name) twice")
          }
        } else {
          try skipValue(depth: 0)
        }
      } while skip(",")
      try expect("}")
    }
    skipSpace()
    guard at == text.count else { throw unexpected("the end of the line") }
    return found
  }

  private mutating func skipSpace() {
    while at < text.count, [0x20, 0x09, 0x0a, 0x0d].contains(text[at]) { at += 1 }
  }

  /// A member's value, which must be one of these words.
  private mutating func choice(_ words: [String], _ name: String) throws(JSONError) -> [UInt8] {
    skipSpace()
    let start = at
    if at < text.count, text[at] == UInt8(ascii: "\"") {
      let found = try string()
      if words.contains(where: { found == Array($0.utf8) }) { return found }
    } else {
      try skipValue(depth: 0)
    }
    let (found, possible) = (text[start..<at], words.map { "\"\($0)\"" }.joined(separator: " or "))
    let shown = Escaping.text(Array(found.prefix(JSONReader.longestShown)))
    throw JSONError(
      words: "expected \(possible) in the member \(name), found \(shown)\(shown.utf8.count < found.count ? "…" : "")")
  }

  private mutating func skip(_ sign: Unicode.Scalar) -> Bool {
    skipSpace()
    guard at < text.count, text[at] == UInt8(ascii: sign) else { return false }
    at += 1
    return true
  }

  private mutating func expect(_ sign: Unicode.Scalar) throws(JSONError) {
    guard skip(sign) else { throw unexpected(String(sign)) }
  }

  private func unexpected(_ expected: String) -> JSONError {
    let found = at < text.count ? Escaping.text([text[at]]) : "the end of the line"
    return JSONError(words: "malformed JSON at byte \(at): expected \(expected), found \(found)")
  }

  /// A string, its escapes resolved.
  private mutating func string() throws(JSONError) -> [UInt8] {
    guard skip("\"") else { throw unexpected("a string") }
    var bytes: [UInt8] = []
    while at < text.count {
      let byte = text[at]
      switch byte {
      case UInt8(ascii: "\""):
        at += 1
        return bytes
      case UInt8(ascii: "\\"):
        at += 1
        try appendEscaped(to: &bytes)
      case 0..<0x20:
        throw unexpected("an escaped control character")
      default:
        bytes.append(byte)
        at += 1
      }
    }
    throw unexpected("the end of the string")
  }

  /// Reads what follows a backslash.
  private mutating func appendEscaped(to bytes: inout [UInt8]) throws(JSONError) {
    let plain: [UInt8: UInt8] = [
      UInt8(ascii: "\""): UInt8(ascii: "\""), UInt8(ascii: "\\"): UInt8(ascii: "\\"),
      UInt8(ascii: "/"): UInt8(ascii: "/"),
      UInt8(ascii: "b"): 8, UInt8(ascii: "f"): 12, UInt8(ascii: "n"): 10, UInt8(ascii: "r"): 13, UInt8(ascii: "t"): 9,
    ]
    guard at < text.count else { throw unexpected("an escape") }
    if let byte = plain[text[at]] {
      at += 1
      bytes.append(byte)
      return
    }
    guard text[at] == UInt8(ascii: "u") else { throw unexpected("an escape") }
    at += 1
    var code = try fourDigits()
    if (0xd800..<0xdc00).contains(code), at + 1 < text.count, text[at] == UInt8(ascii: "\\"),
      text[at + 1] == UInt8(ascii: "u")
    {
      at += 2
      let low = try fourDigits()
      guard (0xdc00..<0xe000).contains(low) else { throw unexpected("the second half of a surrogate pair before") }
      code = 0x10000 + (code - 0xd800) << 10 + (low - 0xdc00)
    }
    guard let scalar = Unicode.Scalar(code) else { throw unexpected("both halves of a surrogate pair before") }
    bytes.append(contentsOf: Array(String(scalar).utf8))
  }

  private mutating func fourDigits() throws(JSONError) -> UInt32 {
    var code: UInt32 = 0
    for _ in 0..<4 {
      guard at < text.count, let digit = Character(UnicodeScalar(text[at])).hexDigitValue else {
        throw unexpected("a hexadecimal digit")
      }
      code = code << 4 | UInt32(digit)
      at += 1
    }
    return code
  }

  private mutating func skipValue(depth: Int) throws(JSONError) {
    guard depth < JSONReader.deepest else { throw unexpected("at most \(JSONReader.deepest) levels") }
    skipSpace()
    guard at < text.count else { throw unexpected("a value") }
    switch text[at] {
    case UInt8(ascii: "\""): _ = try string()
    case UInt8(ascii: "{"): try skipMembers(until: "}", named: true, depth: depth)
    case UInt8(ascii: "["): try skipMembers(until: "]", named: false, depth: depth)
    default: try skipWord()
    }
  }

  private mutating func skipMembers(until end: Unicode.Scalar, named: Bool, depth: Int) throws(JSONError) {
    at += 1
    if skip(end) { return }
    repeat {
      if named {
        _ = try string()
        try expect(":")
      }
      try skipValue(depth: depth + 1)
    } while skip(",")
    try expect(end)
  }

  /// Passes over true, false, null or a number.
  private mutating func skipWord() throws(JSONError) {
    let start = at
    while at < text.count, !",]} \t\r\n".utf8.contains(text[at]) { at += 1 }
    let word = String(decoding: text[start..<at], as: UTF8.self)
    let isNumber = Double(word) != nil && "-0123456789".contains(word.prefix(1))
    guard ["true", "false", "null"].contains(word) || isNumber else {
      at = start
      throw unexpected("a value")
    }
  }
}
