public import Bytes
public import Environment
import Table

/// Why a partition's store could not be read or changed.
public enum StoreError: Error, Equatable, Sendable, CustomStringConvertible {
  /// A byte range of a file does not hold what its format or checksum says it must.
  case corrupt(path: String, offset: UInt64, expected: String, found: String)
  /// The disk refused an operation. Nothing changed; the operation may be tried again.
  case io(DiskError)
  /// The disk failed such that what is on it can no longer be known (a failed sync of a manifest, or two of tables in
  /// a row): the node must stop.
  case fatal(DiskError)
  /// The version is below the floor and not pinned.
  case notRetained(version: Version, floor: Version)
  /// The tables that a compaction wrote don't hold what it read: they were thrown away, and what was read is kept.
  case unbalanced(paths: [String])
  /// A store would be made where files of one are.
  case exists(path: String)

  public var description: String {
    switch self {
    case .corrupt(let path, let offset, let expected, let found):
      "\(path): damaged at byte \(offset): expected \(expected), found \(found)"
    case .io(let error):
      error.description
    case .fatal(let error):
      "\(error); what is on the disk can no longer be known"
    case .notRetained(let version, let floor):
      "version \(version) is no longer retained: the oldest that is is \(floor)"
    case .unbalanced(let paths):
      "records were lost or changed while \(paths.joined(separator: ", ")) were merged; the result was thrown away"
    case .exists(let path):
      "\(path): a store is there already; what was cut off is begun anew by the same command or in an empty directory"
    }
  }
}

extension StoreError {
  init(_ error: TableError) {
    switch error {
    case .corrupt(let path, let offset, let expected, let found):
      self = .corrupt(path: path, offset: offset, expected: expected, found: found)
    case .io(let error):
      self = .io(error)
    case .unordered(let path):
      self = .corrupt(path: path, offset: 0, expected: "records in order", found: "one that comes too late")
    }
  }
}

/// Runs an operation on tables whose errors become the store's.
@inline(__always)
func mapping<Result: ~Copyable>(_ body: () throws(TableError) -> Result) throws(StoreError) -> Result {
  do throws(TableError) { return try body() } catch { throw StoreError(error) }
}

/// Runs an operation on the disk whose errors become the store's.
func onDisk<Result>(_ body: () throws(DiskError) -> Result) throws(StoreError) -> Result {
  do throws(DiskError) { return try body() } catch { throw .io(error) }
}
