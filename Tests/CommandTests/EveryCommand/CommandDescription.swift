import FoundationEssentials

@testable import Commands

/// A command that does something itself, as the parser describes it: what the tests of all commands go by, so that a
/// command is tested from the day on which it is in the list.
struct CommandDescription: CustomStringConvertible {
  /// The words that choose it: `debug`, `dump`.
  let path: [String]
  /// Its options as they are typed, hidden ones left out.
  let options: [String]
  /// The operands that it can't do without, by the names that its usage gives them.
  let operands: [String]

  var description: String { path.joined(separator: " ") }

  /// Every command but `help`, which the parser adds.
  static let all: [CommandDescription] = {
    guard let dump = try? JSONDecoder().decode(Dump.self, from: Data(KVCommand._dumpHelp().utf8)) else { return [] }
    return leaves(dump.command, path: []).filter { $0.path != ["help"] }
  }()

  /// Those of one name, several where it has subcommands.
  static func named(_ name: String) -> [CommandDescription] { all.filter { $0.path.first == name } }

  private static func leaves(_ command: Dump.Command, path: [String]) -> [CommandDescription] {
    let below = (command.subcommands ?? []).filter { $0.commandName != "help" }
    guard below.isEmpty else { return below.flatMap { leaves($0, path: path + [$0.commandName]) } }
    let shown = (command.arguments ?? []).filter(\.shouldDisplay)
    return [
      CommandDescription(
        path: path,
        options: shown.flatMap { $0.names ?? [] }.map { ($0.kind == "short" ? "-" : "--") + $0.name },
        operands: shown.filter { $0.kind == "positional" && !$0.isOptional }.map { $0.valueName ?? "" })
    ]
  }

  private struct Dump: Decodable {
    let command: Command

    struct Command: Decodable {
      let commandName: String
      let arguments: [Argument]?
      let subcommands: [Command]?
    }
    struct Argument: Decodable {
      let kind: String
      let shouldDisplay: Bool
      let isOptional: Bool
      let valueName: String?
      let names: [Name]?
    }
    struct Name: Decodable {
      let kind: String
      let name: String
    }
  }
}
