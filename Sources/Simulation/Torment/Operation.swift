import Bytes

/// What a client asked for.
enum Intent: Equatable {
  /// A write; nil deletes.
  case write(value: [UInt8]?, condition: Condition)
  /// The latest value.
  case read
  /// The value at a version.
  case readAt(Version)

  enum Condition: Equatable {
    case none
    case absent
    /// The key's latest version; zero: the key is absent.
    case version(Version)
  }
}

/// What came of it.
enum Outcome: Equatable {
  /// A write was made, at this version; zero: a deletion that found nothing.
  case done(Version)
  /// The condition was false; the key's version, zero if it is absent.
  case conditionFalse(Version)
  /// A value and its version.
  case found([UInt8], Version)
  case absent
  /// Certainly not done.
  case notDone
  /// A write that was perhaps made.
  case unknown
}

/// One request of one client, from the first attempt to the last answer.
struct Operation {
  let client: Int
  let key: [UInt8]
  let intent: Intent
  /// The request id of a write: the client's session and this number.
  let sequence: UInt64
  /// The world's time in nanoseconds.
  let sent: UInt64
  let answered: UInt64
  let outcome: Outcome

  var words: String {
    let key = String(decoding: key, as: UTF8.self)
    let name = { (value: [UInt8]) in String(decoding: value.prefix { $0 != UInt8(ascii: " ") }, as: UTF8.self) }
    let what =
      switch intent {
      case .write(let value, let condition):
        "\(value.map { "put \(key) \(name($0))" } ?? "delete \(key)")\(condition == .none ? "" : " if \(condition)")"
      case .read: "get \(key)"
      case .readAt(let version): "get \(key) at \(version)"
      }
    let came =
      switch outcome {
      case .found(let value, let version): "found \(name(value)) of version \(version)"
      default: "\(outcome)"
      }
    return "client \(client) [\(sent / 1_000_000) to \(answered / 1_000_000) ms] \(what): \(came)"
  }
}
