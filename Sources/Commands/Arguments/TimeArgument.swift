import ArgumentParser
import Bytes

/// A moment of the cluster's past, as every `--at` takes it.
public enum TimeArgument: Hashable, Sendable {
  /// A version, by its number.
  case version(Version)
  /// A point in time, in milliseconds since 1970.
  case instant(milliseconds: UInt64)
  /// So many milliseconds before now.
  case ago(milliseconds: UInt64)
  /// The version of a named snapshot.
  case snapshot(String)

  /// Reads `VERSION`, RFC 3339 with an offset, `-5m`, `@SECONDS` or `snap:NAME`.
  public init(parsing text: String) throws(CommandError) {
    if let first = text.utf8.first, (0x30...0x39).contains(first), let number = UInt64(text) {
      guard number > 0 else { throw .usage("0 is not a version: the first one is 1") }
      self = .version(Version(rawValue: number))
    } else if text.hasPrefix("snap:") {
      self = .snapshot(String(text.dropFirst(5)))
    } else if text.hasPrefix("-"), let duration = DurationArgument(argument: String(text.dropFirst())) {
      self = .ago(milliseconds: duration.milliseconds)
    } else if text.hasPrefix("@"), let milliseconds = TimeArgument.unixTime(text.dropFirst()) {
      self = .instant(milliseconds: milliseconds)
    } else if let milliseconds = CivilTime.milliseconds(parsing: text) {
      self = .instant(milliseconds: milliseconds)
    } else {
      throw .usage(
        "\(Escaping.text(Array(text.utf8))) is not a time: give a version, RFC 3339 with an offset"
          + " (2026-11-22T17:00:00Z), -5m, -1h30m, @SECONDS or snap:NAME")
    }
  }

  /// The version to read at: a point in time stands for the last version of its millisecond.
  public func version(nowMilliseconds: UInt64) throws(CommandError) -> Version {
    switch self {
    case .version(let version):
      return version
    case .instant(let milliseconds):
      guard milliseconds <= TimeArgument.lastMillisecond else {
        throw .usage("the time lies beyond what a version can hold")
      }
      return Version(lastOfMillisecond: milliseconds)
    case .ago(let milliseconds):
      guard milliseconds <= nowMilliseconds else { throw .usage("the time lies before 1970") }
      return Version(lastOfMillisecond: nowMilliseconds - milliseconds)
    case .snapshot(let name):
      throw .usage("snap:\(Escaping.text(Array(name.utf8))) names a snapshot of a cluster, and none is asked here")
    }
  }

  private static let lastMillisecond = UInt64.max >> Version.counterBits

  /// Milliseconds of seconds since 1970, which may have a fraction.
  private static func unixTime(_ text: Substring) -> UInt64? {
    let parts = text.split(separator: ".", maxSplits: 1, omittingEmptySubsequences: false)
    guard let whole = parts.first, isNumber(whole), let seconds = UInt64(whole),
      seconds < .max / 1000
    else { return nil }
    guard parts.count == 2 else { return seconds * 1000 }
    guard isNumber(parts[1]), let fraction = UInt64((parts[1] + "00").prefix(3)) else { return nil }
    return seconds * 1000 + fraction
  }

  private static func isNumber(_ text: Substring) -> Bool {
    !text.isEmpty && text.utf8.allSatisfy { (0x30...0x39).contains($0) }
  }
}
