import Bytes
import Client
import Snapshot

/// What an export is asked for: which records, at which time.
struct ExportRequest {
  /// Only keys that begin with this.
  let prefix: [UInt8]
  /// Every version that is kept.
  let history: Bool
  private let at: Moment?
  private let since: Moment?

  /// A time, and the argument that it was read from.
  private struct Moment {
    let text: [UInt8]
    let time: TimeArgument

    init(_ argument: ArgumentBytes) throws(CommandError) {
      text = argument.bytes
      time = try TimeArgument(parsing: argument.text)
    }

    /// Whether an export that took an argument for a version was given the same time. What names a snapshot may name
    /// another since; any other argument says again what it said then, even if it is relative to the present.
    func matches(_ version: Version?, from text: [UInt8], _ client: Client) throws(CommandError) -> Bool {
      switch time {
      case .snapshot: break
      case .version, .instant, .ago: if text == self.text { return true }
      }
      return try time.version(asking: client) == version
    }
  }

  /// A request by the arguments of a command line.
  init(at: ArgumentBytes?, since: ArgumentBytes?, prefix: ArgumentBytes?, history: Bool) throws(CommandError) {
    self.at = try at.map { (text) throws(CommandError) in try Moment(text) }
    self.since = try since.map { (text) throws(CommandError) in try Moment(text) }
    self.prefix = prefix?.bytes ?? []
    self.history = history
  }

  /// The version to export, and the one after which changes are wanted.
  func versions(asking client: Client) throws(CommandError) -> (at: Version, since: Version?) {
    let earlier = try since.map { (moment) throws(CommandError) in try moment.time.version(asking: client) }
    let version: Version
    if let at {
      version = try at.time.version(asking: client)
    } else {
      version = try asking { () throws(ClientError) in try client.latestVersion() }
    }
    if let earlier, earlier > version {
      throw .usage("--since is version \(earlier), and comes after that of the export, \(version): exchange the two")
    }
    return (version, earlier)
  }

  /// What is noted of an export of this request.
  func part(_ statement: SnapshotStatement) -> SnapshotPart {
    SnapshotPart(statement: statement, history: history, at: at?.text ?? [], since: since?.text ?? [])
  }

  /// Refuses what was left of another export.
  func check(_ part: SnapshotPart, at path: String, _ client: Client) throws(CommandError) {
    let differences = try differences(from: part, client)
    guard !differences.isEmpty else { return }
    throw .malformed(
      "\(path) is of another export, with another \(differences.joined(separator: " and ")): \(part.text); repeat that"
        + " one's arguments, or begin anew without --resume")
  }

  private func differences(from part: SnapshotPart, _ client: Client) throws(CommandError) -> [String] {
    let statement = part.statement
    guard statement.cluster == client.cluster else { return ["cluster"] }
    var found: [String] = []
    if statement.prefix != prefix { found.append("--prefix") }
    if part.history != history { found.append("--history") }
    if (since == nil) != part.since.isEmpty { found.append("--since") }
    // Without a time it is of the present, which that of a version was not; the other way round it may be the same.
    if at == nil, !part.at.isEmpty { found.append("--at") }
    guard found.isEmpty else { return found }
    if let at, try !at.matches(statement.version, from: part.at, client) { found.append("--at") }
    if let since, try !since.matches(statement.since, from: part.since, client) { found.append("--since") }
    return found
  }
}

extension SnapshotPart {
  /// Of which export it is, for people.
  var text: String {
    let changes = statement.since.map { ", changes after \($0)" } ?? ""
    let versions = history ? ", with history" : ""
    let keys = statement.prefix.isEmpty ? "" : ", of keys from '\(Escaping.text(statement.prefix))'"
    return "cluster \(statement.cluster) at version \(statement.version)\(changes)\(versions)\(keys)"
  }
}
