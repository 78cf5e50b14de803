import Bytes
import HashRing
import Log
import Raft
import Wire

// What a log says beyond the files.
extension Recovery {
  /// The entries that the log has behind a point which the files hold; nil where it does not go on from there.
  static func entries(_ recovered: RecoveredGroup?, after point: SnapshotHeader) -> [LogEntry]? {
    guard let recovered else { return [] }
    let follows =
      recovered.entries.first { $0.index == point.index }.map { $0.term == point.term }
      ?? (recovered.compactedThrough == point.index)
    return follows ? recovered.entries.filter { $0.index > point.index } : nil
  }

  /// The catalog after every entry of the log, also of those that are not known to be committed: nobody is left to say
  /// that they are not.
  static func replayed(_ saved: Catalog, _ candidate: Candidate) -> Catalog {
    var catalog = saved
    for entry in candidate.entries where entry.kind == .command && !entry.payload.isEmpty {
      // A refused command changes nothing, there as here.
      if let command = WireCatalogCommand(untrusted: entry.payload) { try? catalog.apply(command) }
    }
    return catalog
  }

  static func name(_ group: GroupID) -> String { group == .catalog ? "the catalog" : "partition \(group)" }

  /// Adds to the catalog's entries the one that strikes the lost nodes out, and says which replicas are new.
  static func withRecord(_ writes: [LogWrite], _ recovery: WireRecovery) -> [LogWrite] {
    var writes = writes
    guard !recovery.lost.isEmpty || !recovery.adopted.isEmpty || !recovery.lossy.isEmpty,
      let place = writes.firstIndex(where: { $0.group == .catalog }), let last = writes[place].entries.last
    else { return writes }
    let command = WireCatalogCommand.with { $0.recover = recovery }
    writes[place].entries.append(LogEntry(term: last.term, index: last.index.next, payload: command.encoded))
    writes[place].hardState?.commit = last.index.next
    return writes
  }
}
