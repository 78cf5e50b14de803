/// Why bytes could not be read: they come from a disk or a network and are never trusted.
public enum ByteError: Error, Equatable, Sendable, CustomStringConvertible {
  /// The bytes end before the field does.
  case truncated(offset: Int, needed: Int, available: Int)
  /// The field has a value that its format does not allow.
  case malformed(offset: Int, expected: String, found: String)

  public var description: String {
    switch self {
    case .truncated(let offset, let needed, let available):
      "truncated at byte \(offset): expected \(needed) more bytes, found \(available)"
    case .malformed(let offset, let expected, let found):
      "malformed at byte \(offset): expected \(expected), found \(found)"
    }
  }
}
