import ArgumentParser

/// What is wrong with a command line of which the parser tells in other words: it looks at the operands first, to which
/// it counts the value of an option that it doesn't know, and a word that is no command.
struct CommandLineFault {
  /// What the command and those above it take, by the options' names: whether a value follows.
  private let options: [String: Bool]
  private let rest: ArraySlice<String>
  /// The command that is named, or the last of its groups.
  let command: any ParsableCommand.Type

  /// What every command takes, though its help doesn't say so.
  private static let hidden = ["--help", "--help-hidden", "-h", "--version", "--generate-completion-script"]

  /// A command line that the parser has refused.
  init(_ arguments: [String]) {
    var command: any ParsableCommand.Type = KVCommand.self
    var rest = arguments[...]
    var options = CommandLineFault.options(of: command)
    while let next = CommandLineFault.step(from: command, options, &rest) {
      command = next
      options.merge(CommandLineFault.options(of: command)) { _, own in own }
    }
    (self.command, self.rest, self.options) = (command, rest, options)
  }

  /// What is wrong, in a line; nil where that is for the parser to say.
  var words: String? { unknownOption ?? unknownCommand }

  /// What is wrong with a command line for which the parser prints help: that it is asked about a word that is no command.
  /// nil if nothing is.
  static func ofHelp(_ arguments: [String]) -> String? {
    guard arguments.contains(where: { ["help", "--help", "--help-hidden", "-h"].contains($0) }) else { return nil }
    let fault = CommandLineFault(arguments)
    guard fault.command == KVCommand.self, fault.operands.first == "help" else { return fault.unknownCommand }
    var topic = arguments
    if let place = topic.firstIndex(of: "help") { topic.remove(at: place) }
    let words = CommandLineFault(topic)
    return words.operands.first == "help" ? nil : words.unknownCommand
  }

  /// Takes the name of a subcommand off the front, with the options before it, and gives the subcommand.
  private static func step(
    from command: any ParsableCommand.Type, _ options: [String: Bool], _ arguments: inout ArraySlice<String>
  ) -> (any ParsableCommand.Type)? {
    var place = arguments.startIndex
    while place < arguments.endIndex, arguments[place].hasPrefix("-") {
      place += options[arguments[place]] == true ? 2 : 1
    }
    guard place < arguments.endIndex,
      let found = command.configuration.subcommands.first(where: {
        $0.configuration.commandName == arguments[place]
      })
    else { return nil }
    arguments.remove(at: place)
    return found
  }

  /// The options that the help of a command lists.
  private static func options(of command: any ParsableCommand.Type) -> [String: Bool] {
    let help = KVCommand.helpMessage(for: command, includeHidden: true, columns: 1000)
    var options = Dictionary(hidden.map { ($0, false) }) { first, _ in first }
    for line in help.split(separator: "\n") where line.hasPrefix("  -") {
      let words = line.split(separator: " ")
      let names = words.prefix { $0.hasPrefix("-") }.map { String($0.last == "," ? $0.dropLast() : $0) }
      let takesValue = words.dropFirst(names.count).first?.hasPrefix("<") == true
      for name in names { options[name] = takesValue }
    }
    return options
  }

  private var unknownOption: String? {
    var rest = self.rest
    while let argument = rest.popFirst(), argument != "--" {
      guard argument.hasPrefix("-"), argument.utf8.count > 1 else { continue }
      let name = String(argument.prefix { $0 != "=" })
      if let takesValue = options[name] {
        if takesValue, name == argument { rest = rest.dropFirst() }
      } else if name.hasPrefix("--") || !name.dropFirst().allSatisfy({ options["-\($0)"] == false }) {
        let isWord = name.hasPrefix("--")
        return "unknown option '\(name)'" + (isWord ? "" : "; what begins with a dash and is no option comes behind --")
      }
    }
    return nil
  }

  /// What is neither an option nor the value of one, up to the first `--`.
  private var operands: [String] {
    var (rest, found) = (self.rest, [String]())
    while let argument = rest.popFirst(), argument != "--" {
      guard argument.hasPrefix("-") else {
        found.append(argument)
        continue
      }
      if options[argument] == true { rest = rest.dropFirst() }
    }
    return found
  }

  private var unknownCommand: String? {
    guard !command.configuration.subcommands.isEmpty, let word = operands.first,
      let name = command.configuration.commandName
    else { return nil }
    let group = name == "kv" ? "kv" : "kv \(name)"
    return "'\(word)' is no command of \(group): \(group) --help lists them"
  }
}
