/// The code of a Swift source: enough of a lexer to tell code from comments and string literals.
enum SwiftText {
  /// The source with comments and the contents of string literals blanked out; lines keep their numbers.
  static func code(of source: String) -> String {
    var code: [UInt8] = []
    let bytes = Array(source.utf8)
    code.reserveCapacity(bytes.count)
    var at = 0

    func starts(_ text: String) -> Bool { bytes[at...].starts(with: text.utf8) }
    func blank(_ count: Int) {
      for byte in bytes[at..<min(bytes.count, at + count)] {
        code.append(byte == UInt8(ascii: "\n") ? byte : UInt8(ascii: " "))
      }
      at = min(bytes.count, at + count)
    }
    /// Blanks up to and with a closing mark; `escape` hides the byte behind it.
    func blank(through mark: String, escape: String?) {
      while at < bytes.count && !starts(mark) {
        if let escape, starts(escape) { blank(escape.utf8.count) }
        blank(1)
      }
      blank(mark.utf8.count)
    }

    while at < bytes.count {
      guard openers.contains(bytes[at]) else {
        code.append(bytes[at])
        at += 1
        continue
      }
      let hashes = bytes[at...].prefix { $0 == UInt8(ascii: "#") }.count
      let fence = String(repeating: "#", count: hashes)
      if starts("//") {
        while at < bytes.count && bytes[at] != UInt8(ascii: "\n") { blank(1) }
      } else if starts("/*") {
        var depth = 0
        repeat {
          if starts("/*") {
            depth += 1
            blank(2)
          } else if starts("*/") {
            depth -= 1
            blank(2)
          } else {
            blank(1)
          }
        } while depth > 0 && at < bytes.count
      } else if starts(fence + "\"\"\"") {
        blank(hashes + 3)
        blank(through: "\"\"\"" + fence, escape: "\\" + fence)
      } else if starts(fence + "\"") {
        blank(hashes + 1)
        blank(through: "\"" + fence, escape: "\\" + fence)
      } else {
        code.append(contentsOf: bytes[at..<at + max(1, hashes)])
        at += max(1, hashes)
      }
    }
    return String(decoding: code, as: UTF8.self)
  }

  /// The bytes with which a comment or a literal may begin.
  private static let openers: Set<UInt8> = [UInt8(ascii: "/"), UInt8(ascii: "\""), UInt8(ascii: "#")]

  /// The modules that a source imports, ascending.
  static func imports(of source: String) -> [String] { imports(ofCode: code(of: source)) }

  /// The modules that a source imports, ascending, from its code.
  static func imports(ofCode code: String) -> [String] {
    var modules: Set<String> = []
    for line in code.split(whereSeparator: { $0 == "\n" || $0 == ";" }) where line.contains("import") {
      let words = line.split(whereSeparator: { $0 == " " || $0 == "\t" }).map(String.init)
      guard let place = words.firstIndex(of: "import"),
        words[..<place].allSatisfy({ $0.hasPrefix("@") || accessLevels.contains($0) })
      else { continue }
      let rest = words[(place + 1)...].drop { declarationKinds.contains($0) }
      if let name = rest.first?.split(separator: ".").first { modules.insert(String(name)) }
    }
    return modules.sorted()
  }

  private static let accessLevels: Set<String> = ["public", "package", "internal", "fileprivate", "private"]
  private static let declarationKinds: Set<String> = [
    "typealias", "struct", "class", "enum", "protocol", "let", "var", "func",
  ]

  /// The lines, counted from 1, on which a text stands.
  static func lines(of text: String, in source: String) -> [Int] {
    source.split(separator: "\n", omittingEmptySubsequences: false).enumerated()
      .filter { $0.element.contains(text) }.map { $0.offset + 1 }
  }

  /// The number of lines.
  static func lineCount(of source: String) -> Int {
    source.utf8.count { $0 == UInt8(ascii: "\n") } + (source.hasSuffix("\n") || source.isEmpty ? 0 : 1)
  }
}
