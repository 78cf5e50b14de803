import ArgumentParser

/// The shells for which there are completions.
enum CompletedShell: String, CaseIterable, ExpressibleByArgument {
  case bash, zsh, fish

  var shell: CompletionShell {
    switch self {
    case .bash: .bash
    case .zsh: .zsh
    case .fish: .fish
    }
  }
}

/// `kv completion`: prints what makes a shell complete kv's command lines.
struct CompletionCommand: Executable {
  static let configuration = CommandConfiguration(
    commandName: "completion", abstract: "Print the completions for a shell.")

  @OptionGroup var global: GlobalOptions

  @Argument(help: ArgumentHelp("bash, zsh or fish.", valueName: "shell"))
  var shell: CompletedShell

  func execute(_ output: OutputStream) throws(CommandError) -> ExitCode {
    try output.line(KVCommand.completionScript(for: shell.shell))
    return .done
  }
}
