import ArgumentParser
import Bytes
import Client
import Environment
import Glibc
import Snapshot

/// `kv snapshot export FILE|-`: the whole cluster at one version, in one file.
struct SnapshotExportCommand: Executable {
  static let configuration = CommandConfiguration(
    commandName: "export", abstract: "Write the cluster at one version into one checked and signed file.")

  @OptionGroup var global: GlobalOptions

  @Option(help: ArgumentHelp("The version or time; now unless given.", valueName: "time"))
  var at: ArgumentBytes?

  @Option(help: ArgumentHelp("Only what changed after this version or time.", valueName: "time"))
  var since: ArgumentBytes?

  @Option(help: ArgumentHelp("Only keys that begin with this.", valueName: "prefix"))
  var prefix: ArgumentBytes?

  @Flag(help: "Every version that is kept, not only the last.")
  var history = false

  @Flag(help: "Go on with an export of the same file that was interrupted.")
  var resume = false

  @Argument(help: ArgumentHelp("The file, or - for standard output.", valueName: "file"), completion: .file())
  var file: ArgumentBytes

  func execute(_ output: OutputStream) throws(CommandError) -> ExitCode {
    let isStream = file.bytes == Array("-".utf8)
    guard !isStream || !output.isTerminal else {
      throw .usage("a snapshot is no text: name a file, or pipe standard output somewhere")
    }
    guard !isStream || !global.json else { throw .usage("--json would print into the snapshot on standard output") }
    guard !file.bytes.isEmpty else { throw .usage("the name of the file is empty") }
    let request = try ExportRequest(at: at, since: since, prefix: prefix, history: history)
    // The cluster looks at the role when it signs, which is when all is copied.
    try global.requireAdmin("snapshot export")
    let client = try global.client()
    let (statement, size) =
      if isStream {
        try write(request, to: STDOUT_FILENO, "standard output", client)
      } else {
        try writeFile(request, client)
      }
    let root = hexadecimal(statement.root)
    global.say("\(statement.records) records at version \(statement.version), \(size) bytes, root \(root)")
    if global.json {
      var object = JSONObject()
      object.string("file", file.text)
      object.append(statement)
      object.number("bytes", size)
      try output.write(object.line)
    }
    return .done
  }

  private func writeFile(
    _ request: ExportRequest, _ client: Client
  ) throws(CommandError) -> (SnapshotStatement, UInt64) {
    switch try FileTarget.of(file.text) {
    case .stream(let descriptor):
      defer { close(descriptor) }
      return try write(request, to: descriptor, file.text, client)
    case .file(let path, _):
      let part = try ExportPart(of: path)
      switch part.remainder {
      case .part(let begun) where resume: return try goOn(part, begun, request, client)
      case .unreadable(let words) where resume: throw .malformed("\(words); begin anew without --resume")
      default: return try begin(part, request, client)
      }
    }
  }

  /// Writes to where nothing can be read back.
  private func write(
    _ request: ExportRequest, to descriptor: Int32, _ name: String, _ client: Client
  ) throws(CommandError) -> (SnapshotStatement, UInt64) {
    guard !resume else { throw .usage("\(name) keeps nothing that --resume could go on with: name a file") }
    let source = try open(request, client)
    let writer = try onSnapshot { () throws(SnapshotError) in
      try SnapshotFileWriter(disk: StreamDisk(descriptor: descriptor), path: name, statement: source.statement)
    }
    return try write(source, by: writer, client)
  }

  /// Begins anew with a file.
  private func begin(
    _ part: ExportPart, _ request: ExportRequest, _ client: Client
  ) throws(CommandError) -> (SnapshotStatement, UInt64) {
    let source = try part.whileUnused { () throws(CommandError) in try open(request, client) }
    switch part.remainder {
    case .nothing: if resume { global.say("nothing is left of an export of \(file.text): it begins anew") }
    case .part(let begun): global.say("\(part.path) is replaced, which was left of an export of \(begun.text)")
    case .unreadable: global.say("\(part.path) is replaced, which was left of another export")
    }
    try part.begin(request.part(source.statement))
    return try keeping(part, source.statement) { () throws(CommandError) in
      let writer = try onSnapshot { () throws(SnapshotError) in
        try SnapshotFileWriter(disk: PosixDisk(), path: part.path, statement: source.statement)
      }
      return try write(source, by: writer, client)
    }
  }

  /// Goes on with what is left of the same export, at its version.
  private func goOn(
    _ part: ExportPart, _ begun: SnapshotPart, _ request: ExportRequest, _ client: Client
  ) throws(CommandError) -> (SnapshotStatement, UInt64) {
    try request.check(begun, at: part.path, client)
    return try keeping(part, begun.statement) { () throws(CommandError) in
      // Before much is read from the disk it shows whether the version can still be read.
      _ = try SnapshotSource(client, begun.statement, after: nil)
      let (writer, last) = try read(part, begun.statement)
      global.say("goes on with \(part.path) behind \(writer.records) records, at version \(begun.statement.version)")
      return try write(try SnapshotSource(client, begun.statement, after: last), by: writer, client)
    }
  }

  private func read(
    _ part: ExportPart, _ statement: SnapshotStatement
  ) throws(CommandError) -> (SnapshotFileWriter, RecordPlace?) {
    var progress = ProgressLine(quiet: global.quiet)
    defer { progress.clear() }
    return try onSnapshot { () throws(SnapshotError) in
      try SnapshotFileWriter.resume(disk: PosixDisk(), path: part.path, statement: statement) { offset in
        progress.show("\(offset >> 20) MiB of \(part.path) checked")
      }
    }
  }

  private func open(_ request: ExportRequest, _ client: Client) throws(CommandError) -> SnapshotSource {
    let source = try SnapshotSource(client, request)
    if history, since == nil { try tellOfOlder(than: source.statement.oldest, client) }
    return source
  }

  /// Whoever exports all history should know of the snapshots that lie before it.
  private func tellOfOlder(than oldest: Version, _ client: Client) throws(CommandError) {
    let named = try asking { () throws(ClientError) in try client.snapshots().named }
    for snapshot in named where Version(rawValue: snapshot.version) < oldest {
      let name = Escaping.text(Array(snapshot.name.utf8))
      global.say(
        "snapshot \(name) is older than what is kept for all keys, and not in the file: --at snap:\(name) exports it")
    }
  }

  private func write(
    _ source: SnapshotSource, by writer: SnapshotFileWriter, _ client: Client
  ) throws(CommandError) -> (SnapshotStatement, UInt64) {
    var progress = ProgressLine(quiet: global.quiet)
    defer { progress.clear() }
    while let span = try source.next() {
      try onSnapshot { () throws(SnapshotError) in try writer.add(span) }
      progress.show("\(writer.records) records, \(writer.fileBytes >> 20) MiB written")
    }
    let statement = writer.complete()
    let seal = try asking { () throws(ClientError) in try client.sign(statement) }
    let size = try onSnapshot { () throws(SnapshotError) in
      try writer.finish(
        signature: [UInt8](seal.signature), certificate: [UInt8](seal.certificate),
        authority: [UInt8](seal.authority))
    }
    return (statement, size)
  }
}

extension SnapshotExportCommand {
  /// Calls `body`, which writes all of a part, and gives that its name. Where it comes to nothing the part is kept, and the
  /// error, or what a signal leaves to say, tells how to go on.
  private func keeping<Result>(
    _ part: ExportPart, _ statement: SnapshotStatement, _ body: () throws(CommandError) -> Result
  ) throws(CommandError) -> Result {
    let command = continuation(cluster: global.cluster?.text)
    let advice = "what is written is kept in \(part.path), and this goes on with it: \(command)"
    let words = global.quiet ? "" : "\(StandardError.isTerminal ? "\r\u{1b}[K" : "")kv: interrupted; \(advice)\n"
    do throws(CommandError) {
      return try UnfinishedFile.kept(saying: words) { () throws(CommandError) in
        let result = try body()
        try part.complete()
        return result
      }
    } catch {
      switch error {
      case .client(.notRetained):
        throw .unfinished(
          error,
          "\(part.path) is of version \(statement.version) and can't be gone on with: begin anew without --resume, and"
            + " give the version a name before, by kv snapshot create, which keeps it until all is written")
      case .client(.refused):
        throw .unfinished(
          error,
          "what is written is kept in \(part.path); with another cluster file of role admin this goes on with it:"
            + " \(continuation(cluster: "FILE"))")
      case .file("sync", _, _):
        // What was written before may be lost though it can still be read back.
        part.discard()
        throw error
      default: throw .unfinished(error, advice)
      }
    }
  }

  /// The command that goes on with this one, with a cluster file.
  private func continuation(cluster: String?) -> String {
    var words = ["kv", "snapshot", "export", "--resume"]
    for (name, value) in [
      ("--cluster", cluster), ("--at", at?.text), ("--since", since?.text), ("--prefix", prefix?.text),
    ] {
      if let value { words += [name, Shell.quoted(value)] }
    }
    if history { words.append("--history") }
    if file.text.hasPrefix("-") { words.append("--") }
    return (words + [Shell.quoted(file.text)]).joined(separator: " ")
  }
}
