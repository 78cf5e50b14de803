import Glibc

/// Why there is no cluster file to work with.
public enum ClusterFileError: Error, Equatable, Sendable, CustomStringConvertible {
  /// The file that was asked for does not exist; `origin` says by what.
  case missing(path: String, origin: String)
  /// None was asked for, and none is in the usual places.
  case noneFound(tried: [String])
  /// The file can't be read; the system's error number.
  case unreadable(path: String, code: Int32)
  /// A line is not what the format allows. The line counts from 1; 0 stands for the file as a whole.
  case malformed(path: String, line: Int, expected: String, found: String)

  /// The exit status of a command that ends with this error.
  public var exitCode: Int32 {
    switch self {
    case .missing, .noneFound, .unreadable: 66
    case .malformed: 78
    }
  }

  public var description: String {
    switch self {
    case .missing(let path, let origin):
      "no cluster file at '\(path)', which \(origin) names"
    case .noneFound(let tried):
      "no cluster file: tried \(tried.joined(separator: ", ")); name one with --cluster or $KV_CLUSTER"
    case .unreadable(let path, let code):
      "cannot read the cluster file \(path): \(ClusterFileError.words(code))"
    case .malformed(let path, 0, let expected, let found):
      "\(path): expected \(expected), found \(found)"
    case .malformed(let path, let line, let expected, let found):
      "\(path), line \(line): expected \(expected), found \(found)"
    }
  }

  /// The system's words for one of its error numbers.
  private static func words(_ code: Int32) -> String {
    // SAFETY: strerror gives a NUL-terminated string that is copied at once; no other thread asks meanwhile for more
    // than the same constant text.
    strerror(code).map { String(cString: $0) } ?? "error \(code)"
  }
}
