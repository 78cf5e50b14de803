public import Environment

/// Why a table could not be written or read.
public enum TableError: Error, Equatable, Sendable, CustomStringConvertible {
  /// A byte range of a file does not hold what its format or checksum says it must.
  case corrupt(path: String, offset: UInt64, expected: String, found: String)
  /// The disk refused an operation.
  case io(DiskError)
  /// Records were added out of order: the source is damaged, and the output must be thrown away.
  case unordered(path: String)

  public var description: String {
    switch self {
    case .corrupt(let path, let offset, let expected, let found):
      "\(path): damaged at byte \(offset): expected \(expected), found \(found)"
    case .io(let error):
      error.description
    case .unordered(let path):
      "\(path): records added out of order"
    }
  }
}
