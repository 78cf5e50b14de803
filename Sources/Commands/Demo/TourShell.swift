import Bytes
import Glibc

/// Runs `kv` commands as a user would, shows them, and holds their output against what it has to be.
struct TourShell {
  let cluster: DemoCluster
  let global: GlobalOptions
  let output: OutputStream

  /// How long a line may be before the rest of it is left out.
  private static let lineWidth = 100

  /// One argument of a command: text, a key or a value.
  struct Word: ExpressibleByStringLiteral {
    let bytes: [UInt8]

    init(_ key: Key) { bytes = key.bytes }
    init(_ text: some StringProtocol) { bytes = Array(text.utf8) }
    init(stringLiteral text: String) { bytes = Array(text.utf8) }
  }

  /// Makes a file in the demo's directory; gives its path.
  func writeFile(_ name: String, _ bytes: [UInt8]) throws(CommandError) -> String {
    let path = "\(cluster.directory)/\(name)"
    _ = try FileReplacement.write(path) { (file) throws(CommandError) in
      try file.write(bytes)
      return .done
    }
    return path
  }

  /// Runs a command that has to end well; gives its output.
  @discardableResult
  func run(_ line: String, shown: Int = 3) throws(CommandError) -> [UInt8] {
    try run(TourShell.words(line), shown: shown)
  }

  /// Runs a command that has to end well; gives its output.
  @discardableResult
  func run(_ words: [Word], input: [UInt8] = [], shown: Int = 3) throws(CommandError) -> [UInt8] {
    try perform(words, input: input, status: .done, shown: shown)
  }

  /// Runs a command that has to print exactly this and end so.
  func expect(
    _ line: String, _ expected: [UInt8], status: ExitCode = .done, shown: Int = 3
  ) throws(CommandError) {
    try expect(TourShell.words(line), expected, status: status, shown: shown)
  }

  /// Runs a command that has to print exactly this and end so.
  func expect(
    _ words: [Word], _ expected: [UInt8], status: ExitCode = .done, shown: Int = 3
  ) throws(CommandError) {
    let found = try perform(words, input: [], status: status, shown: shown)
    guard found == expected else {
      let place = zip(found, expected).enumerated().first { $1.0 != $1.1 }?.offset ?? min(found.count, expected.count)
      throw .mismatch(
        "\(TourShell.shown(words)) printed \(found.count) bytes, expected \(expected.count); they differ at byte \(place)"
      )
    }
    if shown == 0 { global.say("   \(found.count) bytes, as expected") }
  }

  private func perform(
    _ words: [Word], input: [UInt8], status: ExitCode, shown: Int
  ) throws(CommandError) -> [UInt8] {
    try cluster.checkInterrupt()
    StandardError.write("   $ \(TourShell.shown(words))\n")
    let answer = "\(cluster.directory)/answer"
    defer { unlink(answer) }
    let process = try ChildProcess(
      ChildProcess.thisProgram, words.map(\.bytes), input: input, output: .file(answer),
      environment: ["KV_CLUSTER": cluster.clusterFile, "XDG_STATE_HOME": cluster.stateHome])
    let code = process.wait()
    try cluster.checkInterrupt()
    guard code == status.rawValue else {
      throw .mismatch("\(TourShell.shown(words)) ended with status \(code), expected \(status.rawValue)")
    }
    let bytes = try InputStream(opening: answer).all(limit: .max - 1) ?? []
    try show(bytes, lines: shown)
    return bytes
  }

  private func show(_ bytes: [UInt8], lines: Int) throws(CommandError) {
    guard lines > 0, !global.quiet else { return }
    let all = bytes.split(separator: UInt8(ascii: "\n"))
    for line in all.prefix(lines) {
      let text = Escaping.text(Array(line))
      try output.line("     " + (text.count > TourShell.lineWidth ? text.prefix(TourShell.lineWidth) + "…" : text))
    }
    if all.count > lines { try output.line("     … \(all.count - lines) more lines") }
    try output.flush()
  }

  private static func words(_ line: String) -> [Word] {
    line.split(separator: " ").map { Word($0) }
  }

  /// The command as it would be typed.
  private static func shown(_ words: [Word]) -> String {
    let quoted = words.map { word -> String in
      let text = Escaping.text(Array(word.bytes.prefix(60))) + (word.bytes.count > 60 ? "…" : "")
      return text.contains { " $&|;<>*?'\"\\()".contains($0) } || text.isEmpty ? "'\(text)'" : text
    }
    return "kv " + quoted.joined(separator: " ")
  }
}
