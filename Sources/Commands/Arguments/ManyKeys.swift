import ArgumentParser

/// A command that takes any number of keys.
protocol TakesKeys: Executable {
  var operands: [ArgumentBytes] { get set }
}

/// A command line that may have very many keys. The parser copies the operands that it has for each further one; so it
/// is shown one word in place of most of them.
struct ManyKeys {
  /// What the parser is to see.
  let arguments: [String]
  /// What each `mark` of the arguments stands for.
  private let held: [ArraySlice<String>]

  /// The word in place of keys. No argument of a process holds a NUL.
  private static let mark = "\0"
  /// How many words of a row are shown: the first may be the command's name or the value of an option.
  private static let shown = 16

  /// A command line without its program, as the parser takes it.
  init(_ arguments: [String]) {
    let rows = ManyKeys.longRows(arguments)
    guard !rows.isEmpty, CommandLineFault(arguments).command is any TakesKeys.Type else {
      (self.arguments, held) = (arguments, [])
      return
    }
    var shown: [String] = []
    var next = 0
    for row in rows {
      shown += arguments[next..<row.lowerBound + ManyKeys.shown] + [ManyKeys.mark]
      next = row.upperBound
    }
    self.arguments = shown + arguments[next...]
    held = rows.map { arguments[$0.dropFirst(ManyKeys.shown)] }
  }

  /// Where more words than are shown stand in a row, none of them an option.
  private static func longRows(_ arguments: [String]) -> [Range<Int>] {
    let terminator = arguments.firstIndex(of: "--") ?? arguments.endIndex
    var rows: [Range<Int>] = []
    var start = 0
    for place in 0...arguments.count
    where place == arguments.count || place <= terminator && arguments[place].utf8.first == UInt8(ascii: "-") {
      if place - start > shown { rows.append(start..<place) }
      start = place + 1
    }
    return rows
  }

  /// The command that the parser made of the arguments, with all its keys.
  func restored(_ command: any ParsableCommand) -> any ParsableCommand {
    guard !held.isEmpty, var command = command as? any TakesKeys else { return command }
    var rest = held[...]
    command.operands = command.operands.flatMap { operand in
      guard operand.bytes == Array(ManyKeys.mark.utf8), let keys = rest.popFirst() else { return [operand] }
      return keys.map { ArgumentBytes(argument: $0) }
    }
    return command
  }
}
