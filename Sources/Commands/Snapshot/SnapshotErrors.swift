import Bytes
import Glibc
import Snapshot

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
