import Bytes

extension Catalog {
  /// Why a command changed nothing.
  enum Refusal: Error, Equatable, CustomStringConvertible {
    /// The command was decided on an older state; decide again.
    case stale(String)
    case unknownToken
    case tooMany(String)
    case malformed(String)
    /// The command asks for what must not be.
    case forbidden(String)
    /// A snapshot of this name is of another version.
    case nameTaken(String)
    /// The version is no longer kept; the floor.
    case notRetained(floor: Version)

    var description: String {
      switch self {
      case .stale(let words), .tooMany(let words), .malformed(let words), .forbidden(let words), .nameTaken(let words):
        words
      case .unknownToken: "the token is unknown, used, expired or mistyped"
      case .notRetained(let floor): "the version is no longer kept: the oldest is \(floor)"
      }
    }
  }
}
