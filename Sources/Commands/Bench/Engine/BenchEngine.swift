import ArgumentParser
import Bytes

/// `kv bench engine`: measures the storage engine alone, on one thread, without a cluster.
struct BenchEngineCommand: Executable {
  static let configuration = CommandConfiguration(
    commandName: "bench-engine", abstract: "Measure the storage engine alone.",
    usage: """
      kv bench engine [<options>] [<keys>]
      kv bench engine [<options>] versions <keys> <versions>
      kv bench engine [<options>] read <keys> --directory <dir>
      """,
    shouldDisplay: false)

  @OptionGroup var global: GlobalOptions

  @Option(
    name: [.short, .long],
    help: ArgumentHelp("Where the store is made; it is removed at the end. Else a temporary place.", valueName: "dir"),
    completion: .directory)
  var directory: ArgumentBytes?

  @Flag(help: "Leave the store where it is, for another run to read.")
  var keep = false

  @Option(help: ArgumentHelp("The mebibytes of the block cache.", valueName: "count"))
  var cache = 256

  @Option(help: ArgumentHelp("The mebibytes of a memtable.", valueName: "count"))
  var memtable = 64

  @Flag(help: "With versions: write to keys at random, not to one after the other.")
  var random = false

  @Option(help: ArgumentHelp("The bytes of a value.", valueName: "count"))
  var value = 100

  @Argument(
    help:
      "How many keys; or the word versions, how many keys, and how many versions of each; or read, and how many keys.")
  var words: [String] = []

  /// What is to be measured.
  private enum Plan {
    case points(keys: UInt64)
    case read(keys: UInt64)
    case versions(keys: UInt64, versions: UInt64)
  }

  private var plan: Plan? {
    func number(_ word: String, from least: UInt64) -> UInt64? {
      UInt64(word).flatMap { (least...1_000_000_000).contains($0) ? $0 : nil }
    }
    switch words.count {
    case 0: return .points(keys: 1_000_000)
    case 1: return number(words[0], from: 10).map { .points(keys: $0) }
    case 2 where words[0] == "read" && directory != nil: return number(words[1], from: 10).map { .read(keys: $0) }
    case 3 where words[0] == "versions":
      guard let keys = number(words[1], from: 1), let versions = number(words[2], from: 1) else { return nil }
      return .versions(keys: keys, versions: versions)
    default: return nil
    }
  }

  mutating func validate() throws {
    guard (0...1 << 20).contains(cache), (1...4096).contains(memtable),
      (1...1 << 20).contains(value)
    else {
      throw ValidationError("--cache takes 0 to 1048576, --memtable 1 to 4096, --value 1 to 1048576")
    }
    let hasVersions = if case .versions = plan { true } else { false }
    guard hasVersions || !random else { throw ValidationError("--random goes with versions") }
    guard plan != nil else {
      throw ValidationError(
        "expected a number of keys from 10 on, or: versions, keys, versions of each; or, with --directory: read, keys")
    }
  }

  func execute(_ output: OutputStream) throws(CommandError) -> ExitCode {
    let path = if let directory { directory.text } else { try DirectoryTree.makeTemporary("kv-bench-") }
    let isNew = if case .read = plan { false } else { true }
    guard !isNew || DirectoryTree.entries(path).isEmpty else { throw .usage("\(path) is not empty") }
    defer { if isNew, !keep { DirectoryTree.remove(path) } }
    let store = try BenchStore(
      directory: path, cacheBytes: cache << 20, memtableBytes: memtable << 20, isNew: isNew)
    let rows = BenchRows(json: global.json, output: output)
    switch plan {
    case .points(let keys): try BenchWorkloads(store: store, keys: keys, valueBytes: value).run(rows)
    case .read(let keys): try BenchWorkloads(store: store, keys: keys, valueBytes: value).read(rows)
    case .versions(let keys, let versions):
      try BenchVersions(store: store, keys: keys, versions: versions, valueBytes: value, isRandom: random).run(rows)
    case nil: throw .usage("expected a number of keys")
    }
    if global.verbose { StandardError.say(store.layout) }
    return .done
  }
}
