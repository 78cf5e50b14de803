import ArgumentParser

/// A length of time on the command line: `500ms`, `5s`, `2m`, `1h`, `7d`, or several of them, as in `1h30m`.
public struct DurationArgument: ExpressibleByArgument, Hashable, Sendable {
  /// The length in milliseconds.
  public let milliseconds: UInt64

  /// A length of so many milliseconds.
  public init(milliseconds: UInt64) {
    self.milliseconds = milliseconds
  }

  /// Reads the written form; nil if it isn't one, or longer than `longest`.
  public init?(argument: String) {
    var rest = argument.utf8[...]
    var total: UInt64 = 0
    guard !rest.isEmpty else { return nil }
    while !rest.isEmpty {
      let digits = rest.prefix { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
      rest = rest.dropFirst(digits.count)
      let unit = rest.prefix { !(UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
      rest = rest.dropFirst(unit.count)
      guard let count = UInt64(Substring(digits)), let size = DurationArgument.units[String(Substring(unit))] else {
        return nil
      }
      let (part, tooLong) = count.multipliedReportingOverflow(by: size)
      guard !tooLong, part <= DurationArgument.longest, total <= DurationArgument.longest - part else { return nil }
      total += part
    }
    self.milliseconds = total
  }

  /// The longest that a certificate lasts: as long as the authority that signs it.
  static let longestCertificate: UInt64 = 3650 * 86_400_000

  /// The longest that is accepted: ten thousand years.
  static let longest: UInt64 = 10_000 * 366 * 86_400_000

  private static let units: [String: UInt64] = ["ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000]

  /// The shortest written form in one unit.
  public var defaultValueDescription: String {
    for (unit, size) in [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000)] as [(String, UInt64)]
    where milliseconds >= size && milliseconds % size == 0 {
      return "\(milliseconds / size)\(unit)"
    }
    return "\(milliseconds)ms"
  }
}
