/// A scenario in words: one command a line, words parted by blanks, `#` begins a comment. The first comment says what
/// the scenario shows, and where it is from. scenarios(README) in Tests/Scenarios lists the commands.
public struct Scenario: Sendable {
  /// One command.
  struct Line: Sendable {
    let number: Int
    let words: [String]
    var text: String { words.joined(separator: " ") }
  }

  /// The file's name without its ending.
  public let name: String
  let lines: [Line]

  /// The scenario that a text describes.
  public init(name: String, text: String) {
    self.name = name
    var lines: [Line] = []
    for (place, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
      let command = line.prefix { $0 != "#" }
      let words = command.split(whereSeparator: { $0 == " " || $0 == "\t" }).map(String.init)
      if !words.isEmpty { lines.append(Line(number: place + 1, words: words)) }
    }
    self.lines = lines
  }
}

/// Why a scenario did not go as it says.
public struct ScenarioFailure: Error, CustomStringConvertible {
  let scenario: String
  let line: Int
  let text: String
  let found: String
  public var description: String { "\(scenario), line \(line): \(text): \(found)" }
}

/// What is wrong with one line.
struct LineError: Error {
  let words: String
  init(_ words: String) { self.words = words }
}

/// The words of one command, taken from the front.
struct Words {
  private(set) var rest: ArraySlice<String>
  /// The word that was taken last.
  private(set) var previous = ""

  init(_ words: [String]) { rest = words[...] }

  var isEmpty: Bool { rest.isEmpty }

  mutating func next(_ wanted: String) throws(LineError) -> String {
    guard let word = rest.popFirst() else { throw LineError("\(wanted) is missing") }
    previous = word
    return word
  }

  mutating func number(_ wanted: String = "a number") throws(LineError) -> UInt64 {
    let word = try next(wanted)
    guard let number = UInt64(word) else { throw LineError("\(word) is not \(wanted)") }
    return number
  }

  mutating func replica() throws(LineError) -> UInt32 { UInt32(clamping: try number("a replica")) }

  /// The rest as numbers.
  mutating func numbers() throws(LineError) -> [UInt32] {
    var found: [UInt32] = []
    while !rest.isEmpty { found.append(try replica()) }
    return found
  }

  /// Takes a word if it comes next.
  mutating func take(_ word: String) -> Bool {
    guard rest.first == word else { return false }
    rest.removeFirst()
    return true
  }

  /// A time such as `300ms` or `2s`, in milliseconds.
  mutating func milliseconds() throws(LineError) -> UInt64 {
    let word = try next("a time")
    if word.hasSuffix("ms"), let count = UInt64(word.dropLast(2)) { return count }
    if word.hasSuffix("s"), let count = UInt64(word.dropLast()) { return count * 1000 }
    throw LineError("\(word) is no time")
  }

  mutating func end() throws(LineError) {
    if let word = rest.first { throw LineError("\(word) is too much") }
  }
}
