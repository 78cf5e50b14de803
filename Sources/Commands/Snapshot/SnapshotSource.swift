import Bytes
import Client
import Glibc
import Snapshot

/// The records that an export writes: a stream from the cluster at one version.
final class SnapshotSource {
  /// What the file will say of them, but for what is counted.
  let statement: SnapshotStatement
  private let stream: RangeStream
  private var first: Lifespan?

  /// How often an export with history begins anew because the floor rose between two requests.
  private static let attempts = 50
  private static let restMicroseconds: UInt32 = 200_000

  /// Begins with the first record of what was asked for.
  convenience init(_ client: Client, _ request: ExportRequest) throws(CommandError) {
    let (version, earlier) = try request.versions(asking: client)
    var attempt = 0
    while true {
      var oldest = version
      if request.history { oldest = if let earlier { earlier } else { try SnapshotSource.floor(client) } }
      let statement = SnapshotStatement(
        cluster: client.cluster, version: version, oldest: min(oldest, version), since: earlier,
        prefix: request.prefix, createdMilliseconds: ProcessFacts.wallMilliseconds)
      do throws(CommandError) {
        try self.init(client, statement, after: nil)
        return
      } catch {
        attempt += 1
        guard case .client(.notRetained) = error, request.history, earlier == nil, attempt < SnapshotSource.attempts
        else { throw error }
        usleep(SnapshotSource.restMicroseconds)
      }
    }
  }

  /// Begins with the record that follows another, or with the first.
  init(_ client: Client, _ statement: SnapshotStatement, after last: RecordPlace?) throws(CommandError) {
    self.statement = statement
    var query = SnapshotSource.query(statement)
    if let last { query = query.continued(after: last.key, last.version) }
    let stream = try asking { () throws(ClientError) in try client.range(query) }
    first = try asking { () throws(ClientError) in try stream.nextLifespan() }
    self.stream = stream
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
