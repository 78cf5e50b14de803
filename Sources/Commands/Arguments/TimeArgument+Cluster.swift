import Bytes
import Client

extension TimeArgument {
  /// The version to read at, where a client of the cluster can be asked.
  ///
  /// A cluster refuses versions that it hasn't given out yet. One that rested has given out none for a while, so a
  /// point in time that is past may lie above its latest version: there both show the same, and the latest is taken.
  /// A point in the future stays what it is, and is refused.
  func version(asking client: Client) throws(CommandError) -> Version {
    if case .snapshot(let name) = self { return try TimeArgument.version(ofSnapshot: name, asking: client) }
    let now = ProcessFacts.wallMilliseconds
    let wanted = try version(nowMilliseconds: now)
    if case .version = self { return wanted }
    guard wanted.milliseconds <= now else { return wanted }
    return min(wanted, try asking { () throws(ClientError) in try client.latestVersion() })
  }

  /// The version of a named snapshot.
  static func version(ofSnapshot name: String, asking client: Client) throws(CommandError) -> Version {
    let named = try asking { () throws(ClientError) in try client.snapshots().named }
    if let found = named.first(where: { $0.name == name }) { return Version(rawValue: found.version) }
    let others = named.isEmpty ? "there are none" : "there are " + named.prefix(8).map(\.name).joined(separator: ", ")
    throw .usage("no snapshot is named \(Escaping.text(Array(name.utf8))): \(others)\(named.count > 8 ? ", …" : "")")
  }
}
