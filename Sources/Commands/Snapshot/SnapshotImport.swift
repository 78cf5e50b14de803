import ArgumentParser
import Bytes
import Client
import Environment
import Glibc
import Snapshot

/// `kv snapshot import FILE…`: puts a snapshot's values into a running cluster.
struct SnapshotImportCommand: Executable {
  static let configuration = CommandConfiguration(
    commandName: "import", abstract: "Put what a snapshot's file holds into a running cluster, where it differs.")

  @OptionGroup var global: GlobalOptions

  @Option(help: ArgumentHelp("Only keys that begin with this.", valueName: "prefix"))
  var prefix: ArgumentBytes?

  @Argument(help: ArgumentHelp("The file, and those of what changed after it.", valueName: "file"), completion: .file())
  var files: [ArgumentBytes]

  func execute(_ output: OutputStream) throws(CommandError) -> ExitCode {
    let opened = try SnapshotFiles.openChecked(files.map(\.text), quiet: global.quiet)
    if opened.contains(where: { $0.statement.hasHistory }) {
      throw .usage(
        "\(opened[0].path) holds history, which can't be put beneath what a running cluster has: kv serve --from makes"
          + " a cluster of it; to put the latest values in, export without --history")
    }
    if let prefix, let stranger = opened.first(where: { !$0.statement.mayHold(keysFrom: prefix.bytes) }) {
      throw .usage(
        "\(stranger.path) holds only keys that begin with \(Escaping.text(stranger.statement.prefix)), none that begin with"
          + " \(Escaping.text(prefix.bytes))")
    }
    let merge = try onSnapshot { () throws(SnapshotError) in
      try SnapshotMerge(opened, prefix: prefix?.bytes ?? [])
    }
    let client = try global.client()
    let transfer = SnapshotTransfer(client)
    var progress = ProgressLine(quiet: global.quiet)
    defer { progress.clear() }
    do throws(CommandError) {
      while let span = try onSnapshot({ () throws(SnapshotError) in try merge.next() }) {
        try transfer.add(span.record)
        progress.show("\(transfer.tally)")
      }
      try transfer.finish()
    } catch {
      progress.clear()
      global.say("\(transfer.tally); the same command again goes on where it matters")
      throw error
    }
    progress.clear()
    global.say("\(transfer.tally)")
    if global.json { try output.write(transfer.tally.object.line) }
    return .done
  }
}

/// Brings a cluster's keys to given states: looks at each first, and writes where it differs. So it can be done again.
final class SnapshotTransfer {
  /// What became of the keys.
  struct Tally: CustomStringConvertible {
    var written = 0
    var deleted = 0
    var equal = 0

    var description: String { "\(written) written, \(deleted) deleted, \(equal) were as they should be" }

    var object: JSONObject {
      var object = JSONObject()
      object.number("written", written)
      object.number("deleted", deleted)
      object.number("equal", equal)
      return object
    }
  }

  /// What was done so far.
  private(set) var tally = Tally()
  private let client: Client
  private var batch: [Record] = []
  private var batchBytes = 0

  private static let batchRecords = 2048
  private static let mostBatchBytes = 8 << 20
  private static let window = 1024

  init(_ client: Client) {
    self.client = client
  }

  /// Takes the next key's state: a value, or a tombstone.
  func add(_ record: Record) throws(CommandError) {
    batch.append(record)
    batchBytes += record.key.bytes.count + record.value.count
    if batch.count >= Self.batchRecords || batchBytes >= Self.mostBatchBytes { try finish() }
  }

  /// Brings what was added to its state.
  func finish() throws(CommandError) {
    let wanted = batch
    (batch, batchBytes) = ([], 0)
    guard !wanted.isEmpty else { return }
    let present = try answers(to: wanted.map(\.key)) { $0.get($1) }
    var changed: [Record] = []
    for (record, answer) in zip(wanted, present) {
      let isEqual =
        if case .found(let found, _) = answer { found?.value == (record.kind == .value ? record.value : nil) } else {
          false
        }
      if isEqual { tally.equal += 1 } else { changed.append(record) }
    }
    _ = try answers(to: changed) { $0.add($1.key, $1.value, tombstone: $1.kind == .tombstone) }
    let deleted = changed.count { $0.kind == .tombstone }
    tally.deleted += deleted
    tally.written += changed.count - deleted
  }

  /// What each of some requests brought; the first failure where there are any.
  private func answers<Item>(
    to items: [Item], _ ask: (Pipeline, Item) -> Void
  ) throws(CommandError) -> [Pipeline.Answer?] {
    var answers = [Pipeline.Answer?](repeating: nil, count: items.count)
    var failure: ClientError?
    let pipeline = client.pipeline(window: Self.window) { index, outcome in
      switch outcome {
      case .success(let answer): answers[index] = answer
      case .failure(let error): failure = failure ?? error
      }
    }
    for item in items {
      guard failure == nil else { break }
      ask(pipeline, item)
    }
    pipeline.finish()
    if let failure { throw .client(failure) }
    return answers
  }
}

/// A chain of snapshots' files that are to be loaded.
enum SnapshotFiles {
  /// Checks every byte of each file, its signature, and that they follow one on the other from a full one; opens them.
  static func openChecked(_ paths: [String], quiet: Bool) throws(CommandError) -> [SnapshotFile] {
    for path in paths { try check(path) }
    var progress = ProgressLine(quiet: quiet)
    defer { progress.clear() }
    return try onSnapshot { () throws(SnapshotError) in
      try SnapshotChain.open(paths, on: PosixDisk()) { path, offset in
        progress.show("\(path): \(offset >> 20) MiB checked")
      }
    }
  }

  /// A snapshot's file is read here and there, so that nothing which can only be read once is one.
  static func check(_ path: String) throws(CommandError) {
    var facts = stat()
    let isStream = path == "-" || stat(path, &facts) == 0 && facts.st_mode & S_IFMT != S_IFREG
    guard isStream else { return }
    guard path == "-" || facts.st_mode & S_IFMT != S_IFDIR else {
      throw .usage("\(path) is a directory: name the snapshot's file in it")
    }
    throw .usage("\(path): a snapshot is not read in one go, from its beginning to its end: put it into a file first")
  }
}

extension SnapshotStatement {
  /// Whether keys that begin with a prefix can be in the file.
  fileprivate func mayHold(keysFrom wanted: [UInt8]) -> Bool {
    wanted.starts(with: prefix) || prefix.starts(with: wanted)
  }
}
