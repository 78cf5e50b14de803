import ArgumentParser
import Bytes

/// The settings of a node beside its command line: a file of lines `name value`, and environment variables. A flag
/// goes before a variable, a variable before a line of the file. The names are those of the flags.
enum NodeSettings {
  /// What may be set so. A list, so that a new flag is a setting only where that makes sense.
  static let names = [
    "directory", "listen", "advertise", "zone", "weight", "metrics", "partitions", "keep", "certificate-life",
    "split-size", "log-level", "log-format",
  ]

  /// The largest file that is read.
  private static let fileBytes = 64 << 10

  /// The variable of a setting: `log-level` is `KV_LOG_LEVEL`.
  static func variable(_ name: String) -> String { "KV_" + name.uppercased().replacing("-", with: "_") }

  /// Variables with which a child takes no settings from this process's environment: what is empty says nothing.
  static var none: [String: String] {
    Dictionary((names.map(variable) + ["KV_CONFIG"]).map { ($0, "") }) { first, _ in first }
  }

  /// Fills in what a command line leaves open. Its `config`, or `KV_CONFIG`, names the file.
  static func complete(
    _ line: ServeCommand, environment: [String: String] = ProcessFacts.environment
  ) throws(CommandError) -> ServeCommand {
    var command = line
    for name in names {
      guard let value = environment[variable(name)], !value.isEmpty else { continue }
      command = command.filled(from: try setting(name, value, in: variable(name)))
    }
    if let path = line.node.config?.text ?? environment["KV_CONFIG"].flatMap({ $0.isEmpty ? nil : $0 }) {
      command = command.filled(from: try file(path))
    }
    return command
  }

  /// Reads the settings of a file.
  static func file(_ path: String) throws(CommandError) -> ServeCommand {
    let input = try InputStream(opening: path)
    guard let text = try input.all(limit: fileBytes) else {
      throw .configuration("\(path): larger than \(fileBytes) bytes")
    }
    return try parse(text, path: path)
  }

  /// Reads the text of a file; `path` is for errors, which name the line.
  static func parse(_ text: [UInt8], path: String) throws(CommandError) -> ServeCommand {
    var command = ServeCommand.empty
    var seen: [String: Int] = [:]
    let lines = text.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
    for (place, bytes) in lines.enumerated() {
      let line = String(decoding: bytes, as: UTF8.self).trimmed
      guard !line.isEmpty, !line.hasPrefix("#") else { continue }
      let origin = "\(path), line \(place + 1)"
      let name = String(line.prefix { $0 != " " && $0 != "\t" })
      let value = String(line.dropFirst(name.count)).trimmed
      guard names.contains(name) else {
        throw .configuration(
          "\(origin): '\(Escaping.text(Array(name.utf8)))' is none of \(names.joined(separator: ", "))")
      }
      if let first = seen.updateValue(place + 1, forKey: name) {
        throw .configuration("\(origin): '\(name)' is set in line \(first) already")
      }
      guard !value.isEmpty else { throw .configuration("\(origin): '\(name)' has no value") }
      command = try command.filled(from: setting(name, value, in: origin))
    }
    return command
  }

  /// One setting, held to the rules of the flag of its name.
  private static func setting(_ name: String, _ value: String, in origin: String) throws(CommandError) -> ServeCommand {
    do {
      return try ServeCommand.parse(["--\(name)=\(ArgumentBytes.encode(value.utf8))"])
    } catch {
      let words = InvalidValue.line(ServeCommand.message(for: error))
      throw .configuration("\(origin): \(Escaping.text(ArgumentBytes.decode(words)))")
    }
  }
}

extension String {
  /// Without the white space at both ends.
  fileprivate var trimmed: String {
    func isSpace(_ character: Character) -> Bool { character == " " || character == "\t" || character == "\r" }
    let start = firstIndex { !isSpace($0) } ?? endIndex
    guard let end = lastIndex(where: { !isSpace($0) }) else { return "" }
    return String(self[start...end])
  }
}
