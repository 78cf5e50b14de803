@testable import Commands

/// What the tests of all commands have to know of one that its description doesn't say.
struct CommandSample {
  /// What a command does with the cluster.
  enum Use {
    /// It asks the cluster once, and ends.
    case asks
    /// It asks the cluster and changes who is in it or what of it is kept: it is run on clusters that refuse it alone.
    case changes
    /// It reads the cluster file and asks nobody.
    case reads
    /// It works on this machine alone, and ends.
    case local
    /// It is a node, or runs nodes.
    case serves
    /// It needs files that tests of its own make.
    case apart
  }

  /// What it does with the cluster.
  var use = Use.asks
  /// Words behind its name with which it does something.
  var words: [String]
  /// How it may end on a cluster that holds the key `seed` alone.
  var statuses: Set<Int32> = [0]

  /// The sample of a command. One that is not listed is taken to change a cluster, with operands made up from their
  /// names: list it where that doesn't fit.
  static func of(_ command: CommandDescription) -> CommandSample {
    listed[command.description]
      ?? CommandSample(use: .changes, words: command.operands.map { operands[$0] ?? $0 })
  }

  private static let listed: [String: CommandSample] = [
    "bench": CommandSample(words: ["put", "--total", "20", "--clients", "2"]),
    "bench-engine": CommandSample(use: .local, words: ["100", "--memtable", "1"]),
    "cert issue": CommandSample(words: ["somebody", "--role", "reader", "--to", "/dev/null"]),
    "cert list": CommandSample(words: []),
    "cert renew": CommandSample(words: ["--to", "/dev/null"]),
    "cert revoke": CommandSample(words: ["client/somebody"], statuses: [0, 1]),
    "cert rotate": CommandSample(words: ["--finish"]),
    "cert show": CommandSample(use: .reads, words: []),
    "completion": CommandSample(use: .local, words: ["bash"]),
    "debug dump": CommandSample(use: .local, words: ["FIXTURES/store-1/000003.sst"]),
    "debug find": CommandSample(use: .local, words: ["FIXTURES/store-1", "apple"]),
    "debug log": CommandSample(use: .local, words: ["FIXTURES/log-1"]),
    "debug manifest": CommandSample(use: .local, words: ["FIXTURES/store-1"]),
    "delete": CommandSample(words: ["nothing"], statuses: [1]),
    "demo": CommandSample(use: .serves, words: []),
    "get": CommandSample(words: ["seed"]),
    "history": CommandSample(words: ["seed"]),
    "invite": CommandSample(words: []),
    "join": CommandSample(use: .serves, words: ["token"]),
    "leave": CommandSample(use: .changes, words: ["1"]),
    "plan": CommandSample(words: []),
    "put": CommandSample(words: ["written", "value"]),
    "range": CommandSample(words: ["--prefix", "seed"]),
    "recover apply": CommandSample(use: .apart, words: ["-d", "dir"]),
    "recover plan": CommandSample(use: .apart, words: ["-d", "dir"]),
    "recover verify": CommandSample(use: .apart, words: ["-d", "dir"]),
    "repair": CommandSample(use: .changes, words: ["--plan"]),
    "serve": CommandSample(use: .serves, words: []),
    "snapshot export": CommandSample(use: .changes, words: ["-"]),
    "snapshot import": CommandSample(use: .apart, words: ["file"]),
    "snapshot verify": CommandSample(use: .apart, words: ["file"]),
    "split": CommandSample(use: .changes, words: ["1"]),
    "status": CommandSample(words: []),
    "verify": CommandSample(words: []),
    "version": CommandSample(use: .local, words: []),
    "watch": CommandSample(words: ["seed", "--after", "-1m", "--limit", "1"]),
  ]

  private static let operands = ["key": "seed", "version": "1", "name": "nobody", "dir": ".", "file": "file"]
}
