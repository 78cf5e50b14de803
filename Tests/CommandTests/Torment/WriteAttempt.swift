import Bytes
import Client

/// One write as its client saw it.
struct WriteAttempt: Sendable {
  /// What the client knows of it.
  enum Outcome: Sendable {
    /// It has this version.
    case acknowledged(Version)
    /// Perhaps applied.
    case unknown(RequestID)
    /// Certainly not applied, and why.
    case refused(String)
  }

  let key: Key
  /// Unlike that of any other write.
  let value: [UInt8]
  /// Whether no other write has this key.
  let isOnly: Bool
  /// When it was sent and when the outcome was known, in nanoseconds of the steady clock.
  let sent: UInt64
  let answered: UInt64
  let outcome: Outcome

  /// The version of an acknowledged write.
  var version: Version? {
    if case .acknowledged(let version) = outcome { version } else { nil }
  }

  /// The id of a write whose outcome is unknown.
  var unknownID: RequestID? {
    if case .unknown(let id) = outcome { id } else { nil }
  }

  /// The write in words, for a failure.
  var words: String {
    let number = String(decoding: value.prefix { $0 != UInt8(ascii: " ") }, as: UTF8.self)
    return "\(Escaping.text(key.bytes)) = \(number)…, sent at \(sent) ns, \(outcome) at \(answered) ns"
  }
}
