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

  @Argument(help: ArgumentHelp("The file, or - for standard output.", valueName: "file"))
  var file: ArgumentBytes

  func execute(_ output: OutputStream) throws(CommandError) -> ExitCode {
    let isStream = file.bytes == Array("-".utf8)
    guard !isStream || !output.isTerminal else {
      throw .usage("a snapshot is no text: name a file, or pipe standard output somewhere")
    }
    guard !isStream || !global.json else { throw .usage("--json would print into the snapshot on standard output") }
    guard !file.bytes.isEmpty else { throw .usage("the name of the file is empty") }
    let times = (try time(at), try time(since))
    let client = try global.client()
    let source = try SnapshotSource(
      client, at: times.0, since: times.1, prefix: prefix?.bytes ?? [], history: history)
    if history, since == nil { try tellOfOlder(than: source.statement.oldest, client) }
    let (statement, size) =
      if isStream {
        try write(source, to: StreamDisk(descriptor: STDOUT_FILENO), "standard output", client)
      } else {
        try writeFile(source, client)
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

  /// Whoever exports all history should know of the snapshots that lie before it.
  private func tellOfOlder(than oldest: Version, _ client: Client) throws(CommandError) {
    let named = try asking { () throws(ClientError) in try client.snapshots().named }
    for snapshot in named where Version(rawValue: snapshot.version) < oldest {
      let name = Escaping.text(Array(snapshot.name.utf8))
      global.say(
        "snapshot \(name) is older than what is kept for all keys, and not in the file: --at snap:\(name) exports it")
    }
  }

  private func time(_ argument: ArgumentBytes?) throws(CommandError) -> TimeArgument? {
    try argument.map { (text) throws(CommandError) in try TimeArgument(parsing: text.text) }
  }

  /// The directory in which a file lies.
  private func parent(of path: String) -> String {
    guard let slash = path.lastIndex(of: "/") else { return "." }
    return slash == path.startIndex ? "/" : String(path[..<slash])
  }

  private func writeFile(
    _ source: SnapshotSource, _ client: Client
  ) throws(CommandError) -> (SnapshotStatement, UInt64) {
    switch try FileTarget.of(file.text) {
    case .stream(let descriptor):
      defer { close(descriptor) }
      return try write(source, to: StreamDisk(descriptor: descriptor), file.text, client)
    case .file(let path, _):
      return try writeFile(path, source, client)
    }
  }

  /// Writes under another name beside the file, which gets its own when all is there and durable.
  private func writeFile(
    _ path: String, _ source: SnapshotSource, _ client: Client
  ) throws(CommandError) -> (SnapshotStatement, UInt64) {
    let disk = PosixDisk()
    let temporary = "\(path).\(getpid()).part"
    return try UnfinishedFile.named(temporary) { () throws(CommandError) in
      do throws(CommandError) {
        let written = try write(source, to: disk, temporary, client)
        try inspecting { () throws(DiskError) in
          try disk.rename(temporary, to: path)
          try disk.syncDirectory(parent(of: path))
        }
        return written
      } catch {
        try? disk.remove(temporary)
        throw error
      }
    }
  }

  private func write(
    _ source: SnapshotSource, to disk: any Disk, _ path: String, _ client: Client
  ) throws(CommandError) -> (SnapshotStatement, UInt64) {
    var progress = ProgressLine(quiet: global.quiet)
    defer { progress.clear() }
    let writer = try onSnapshot { () throws(SnapshotError) in
      try SnapshotFileWriter(disk: disk, path: path, statement: source.statement)
    }
    while let span = try source.next() {
      try onSnapshot { () throws(SnapshotError) in try writer.add(span) }
      progress.show("\(writer.records) records, \(writer.fileBytes >> 20) MiB written")
    }
    let statement = try onSnapshot { () throws(SnapshotError) in try writer.complete() }
    let seal = try asking { () throws(ClientError) in try client.sign(statement) }
    let size = try onSnapshot { () throws(SnapshotError) in
      try writer.finish(
        signature: [UInt8](seal.signature), certificate: [UInt8](seal.certificate),
        authority: [UInt8](seal.authority))
    }
    return (statement, size)
  }
}

/// The records that an export writes: a stream from the cluster at one version.
final class SnapshotSource {
  /// What the file will say of them, but for what is counted.
  let statement: SnapshotStatement
  private let stream: RangeStream
  private var first: Lifespan?

  /// How often an export with history begins anew because the floor rose between two requests.
  private static let attempts = 50
  private static let restMicroseconds: UInt32 = 200_000

  init(
    _ client: Client, at: TimeArgument?, since: TimeArgument?, prefix: [UInt8], history: Bool
  ) throws(CommandError) {
    let earlier = try since.map { (time) throws(CommandError) in try time.version(asking: client) }
    let version: Version
    if let at {
      version = try at.version(asking: client)
    } else {
      version = try asking { () throws(ClientError) in try client.latestVersion() }
    }
    if let earlier, earlier >= version {
      throw .usage("nothing lies between: --since is version \(earlier), the export is of \(version)")
    }
    var attempt = 0
    while true {
      var oldest = version
      if history { oldest = if let earlier { earlier } else { try SnapshotSource.floor(client) } }
      let statement = SnapshotStatement(
        cluster: client.cluster, version: version, oldest: min(oldest, version), since: earlier, prefix: prefix,
        createdMilliseconds: ProcessFacts.wallMilliseconds)
      do throws(ClientError) {
        let stream = try client.range(SnapshotSource.query(statement))
        first = try stream.nextLifespan()
        self.statement = statement
        self.stream = stream
        return
      } catch {
        attempt += 1
        guard case .notRetained = error, history, earlier == nil, attempt < SnapshotSource.attempts else {
          throw .client(error)
        }
        usleep(SnapshotSource.restMicroseconds)
      }
    }
  }

  /// The next record, or nil after the last.
  func next() throws(CommandError) -> Lifespan? {
    if let first {
      self.first = nil
      return first
    }
    return try asking { () throws(ClientError) in try stream.nextLifespan() }
  }

  /// The oldest version that all is kept from. Before anything was dropped that is the first.
  private static func floor(_ client: Client) throws(CommandError) -> Version {
    max(try asking { () throws(ClientError) in try client.snapshots().floor }, Version(rawValue: 1))
  }

  private static func query(_ statement: SnapshotStatement) -> RangeQuery {
    let prefix = statement.prefix.isEmpty ? nil : Key(statement.prefix)
    var query = RangeQuery(min: prefix, max: prefix?.successorOfPrefix, at: statement.version)
    if statement.hasHistory {
      query.changes = ChangeSpan(since: statement.oldest, scope: statement.since == nil ? .all : .allChanged)
    } else if let since = statement.since {
      query.changes = ChangeSpan(since: since, scope: .lastChanges)
    }
    return query
  }
}

/// Gives the errors of a snapshot's file the form of this target.
func onSnapshot<Result>(_ body: () throws(SnapshotError) -> Result) throws(CommandError) -> Result {
  do throws(SnapshotError) {
    return try body()
  } catch {
    throw CommandError(error)
  }
}

extension CommandError {
  init(_ error: SnapshotError) {
    switch error {
    case .table(.io(let cause)) where cause.code == EPIPE: self = .outputClosed
    case .table(.io(let cause)): self = .file(operation: cause.operation, path: cause.path, code: cause.code)
    case .table, .damaged, .notSigned: self = .mismatch("\(error)")
    case .notASnapshot, .brokenChain: self = .malformed("\(error)")
    case .notInFile: self = .notInFile("\(error)")
    case .noDigest: self = .engine("\(error)")
    }
  }
}

extension JSONObject {
  /// The members that tell of a snapshot's file.
  mutating func append(_ statement: SnapshotStatement) {
    string("cluster", statement.cluster)
    version("version", statement.version)
    version("oldest", statement.oldest)
    if let since = statement.since { version("since", since) }
    if !statement.prefix.isEmpty { data("prefix", statement.prefix) }
    number("records", statement.records)
    number("data_bytes", statement.dataBytes)
    string("root", hexadecimal(statement.root))
    string("created", CivilTime.text(milliseconds: statement.createdMilliseconds))
  }
}
