/// A command that scripts run in loops. Where nothing but the cluster file and its operands is given it is made of them
/// without the parser: that reflects over every option of every type, which takes longer than the request to the cluster.
protocol PlainCommand: Executable {
  /// What the parser makes of these operands, none of which begins with a dash; nil where it would refuse them.
  init?(operands: [ArgumentBytes], _ global: GlobalOptions)
}

extension Program {
  /// The command of a command line with no option but `--cluster FILE`, if it is one of those; nil leaves it to the
  /// parser.
  static func plainCommand(_ arguments: [String]) -> (any PlainCommand)? {
    var words: [String] = []
    var cluster: String?
    var rest = arguments[...]
    while let argument = rest.popFirst() {
      if argument == "--cluster", cluster == nil, let file = rest.popFirst(), !file.hasPrefix("-") {
        cluster = file
      } else if argument.hasPrefix("-") {
        return nil
      } else {
        words.append(argument)
      }
    }
    guard let kind = plainCommands.first(where: { $0.configuration.commandName == words.first }) else { return nil }
    return kind.init(
      operands: words.dropFirst().map { ArgumentBytes(argument: $0) },
      GlobalOptions(cluster: cluster.map { ArgumentBytes(argument: $0) }))
  }

  static let plainCommands: [any PlainCommand.Type] = [GetCommand.self, PutCommand.self, DeleteCommand.self]
}

extension GetCommand: PlainCommand {
  init?(operands: [ArgumentBytes], _ global: GlobalOptions) {
    guard operands.count == 1 else { return nil }
    self.init()
    self.global = global
    (at, file, proof, to, consistency, format, from) = (nil, nil, false, nil, nil, nil, nil)
    self.operands = operands
  }
}

extension PutCommand: PlainCommand {
  init?(operands: [ArgumentBytes], _ global: GlobalOptions) {
    guard (1...2).contains(operands.count) else { return nil }
    self.init()
    self.global = global
    (from, atomic, ifAbsent, ifVersion, requestID) = (nil, false, false, nil, nil)
    self.operands = operands
  }
}

extension DeleteCommand: PlainCommand {
  init?(operands: [ArgumentBytes], _ global: GlobalOptions) {
    guard !operands.isEmpty else { return nil }
    self.init()
    self.global = global
    (from, ifVersion, requestID) = (nil, nil, nil)
    self.operands = operands
  }
}

extension GlobalOptions {
  /// No other option given.
  fileprivate init(cluster: ArgumentBytes?) {
    self.init()
    self.cluster = cluster
    (timeout, json, quiet, verbose) = (nil, false, false, false)
  }
}
