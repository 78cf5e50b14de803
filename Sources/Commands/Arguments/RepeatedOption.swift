import ArgumentParser
import FoundationEssentials

/// An option that a command line has twice though the command takes one value of it. The parser takes the last, and says
/// nothing of the others.
enum RepeatedOption {
  /// What is wrong with a command line that the parser takes, in a line; nil if nothing is.
  static func words(in arguments: [String]) -> String? {
    let names = arguments.prefix { $0 != "--" }.filter { $0.hasPrefix("-") && $0.utf8.count > 1 }.map { argument in
      argument.prefix { $0 != "=" }
    }
    // What the parser knows of a command takes it longer than to read a command line.
    guard mayRepeat(names) else { return nil }
    let options = single(CommandLineFault(arguments).command)
    var seen: Set<Substring> = []
    for name in names {
      guard let option = options[name] else { continue }
      guard seen.insert(option).inserted else { return "\(option) is given twice: it takes one value" }
    }
    return nil
  }

  /// Whether a name stands there twice, or a letter and what it may be short for.
  private static func mayRepeat(_ names: [Substring]) -> Bool {
    let short = Set(names.filter { $0.utf8.count == 2 })
    return Set(names).count < names.count
      || names.contains { $0.hasPrefix("--") && short.contains($0.dropFirst().prefix(2)) }
  }

  /// The options of a command that take one value, each under all its names.
  private static func single(_ command: any ParsableCommand.Type) -> [Substring: Substring] {
    guard let dump = try? JSONDecoder().decode(Dump.self, from: Data(command._dumpHelp().utf8)) else { return [:] }
    var options: [Substring: Substring] = [:]
    for argument in dump.command.arguments ?? [] where argument.kind == "option" && !argument.isRepeating {
      let names = (argument.names ?? []).map { Substring(($0.kind == "short" ? "-" : "--") + $0.name) }
      guard let longest = names.max(by: { $0.utf8.count < $1.utf8.count }) else { continue }
      guard !overridable.contains(longest) else { continue }
      for name in names { options[name] = longest }
    }
    return options
  }

  /// What an alias or a wrapper may have given: the last one counts.
  private static let overridable: Set<Substring> = ["--cluster", "--timeout"]

  /// What the parser knows of a command, as far as it is wanted.
  private struct Dump: Decodable {
    let command: Command

    struct Command: Decodable {
      let arguments: [Argument]?
    }
    struct Argument: Decodable {
      let kind: String
      let isRepeating: Bool
      let names: [Name]?
    }
    struct Name: Decodable {
      let kind: String
      let name: String
    }
  }
}
