import Bytes

/// What an option takes, for the parser's message about a value that it refused: that names the option, and no more.
enum InvalidValue {
  /// What is accepted, by the name that help gives the value.
  private static let accepted = [
    "duration": "a duration is 500ms, 30s, 5m, 24h, 7d, or several of these as in 1h30m",
    "bytes": "a number of bytes is as in 4096, 512KiB, 64MiB or 4GiB",
    "count": "a whole number is expected",
    "n": "a whole number from 0 to \(Limits.weight) is expected",
    "number": "a whole number is expected",
    "version": "a version is a whole number from 1 on, as a write prints it",
    "consistency": "expected strong, eventual or bounded:DURATION",
    "node": "a node is named by its number; kv status shows all",
  ]

  /// The message with what is accepted behind it; as it is where it is of something else, or says so itself.
  static func explained(_ message: String) -> String {
    var lines = message.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
    guard lines[0].contains("' is invalid for '"), lines[0].hasSuffix(">'"),
      let name = lines[0].split(separator: "<").last?.dropLast(2), let words = accepted[String(name)]
    else { return message }
    lines[0] += "; " + words
    return lines.joined(separator: "\n")
  }

  /// The message in one line, with the choices that the parser puts into lines of their own.
  static func line(_ message: String) -> String {
    let lines = explained(message).split(separator: "\n")
    let choices = lines.dropFirst().map { $0.drop { $0 == " " || $0 == "-" } }
    return choices.isEmpty ? String(lines[0]) : "\(lines[0]) \(choices.joined(separator: ", "))"
  }
}
