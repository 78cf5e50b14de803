public import Bytes
public import Table

/// Why a snapshot's file could not be written, read or believed.
public enum SnapshotError: Error, CustomStringConvertible {
  /// The table that the file is.
  case table(TableError)
  /// The file is a table, and no snapshot's.
  case notASnapshot(path: String)
  /// A part of the file contradicts another.
  case damaged(path: String, offset: UInt64, expected: String, found: String)
  /// The signature is not that of the cluster which the file names.
  case notSigned(path: String, words: String)
  /// The file doesn't show this version.
  case notInFile(Version, SnapshotStatement)
  /// The files don't follow one on the other.
  case brokenChain(String)

  public var description: String {
    switch self {
    case .table(let error): "\(error)"
    case .notASnapshot(let path): "\(path): a table, but not a snapshot's file: it has no signed statement"
    case .damaged(let path, let offset, let expected, let found):
      "\(path): damaged at byte \(offset): expected \(expected), found \(found)"
    case .notSigned(let path, let words): "\(path): the signature does not hold: \(words)"
    case .notInFile(let version, let statement):
      statement.hasHistory
        ? "the file shows the versions \(statement.oldest) to \(statement.version), not \(version)"
        : "the file shows version \(statement.version) alone, not \(version); an export with --history shows more"
    case .brokenChain(let words): words
    }
  }
}

/// Gives the errors of a table the form of this target.
func onTable<Result>(_ body: () throws(TableError) -> Result) throws(SnapshotError) -> Result {
  do throws(TableError) {
    return try body()
  } catch {
    throw .table(error)
  }
}
