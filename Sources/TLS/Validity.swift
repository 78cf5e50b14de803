internal import Glibc

/// From when until when a certificate is valid, in seconds since 1970, both inclusive.
public struct Validity: Hashable, Sendable {
  /// How far certificates are dated back, so that hosts whose clocks are a little behind accept them at once.
  public static let backdating: Int64 = 300

  /// The first second.
  public let notBefore: Int64
  /// The last second.
  public let notAfter: Int64

  /// A validity of these bounds.
  public init(notBefore: Int64, notAfter: Int64) {
    self.notBefore = notBefore
    self.notAfter = notAfter
  }

  /// A validity from now, dated back by five minutes, that lasts a number of seconds.
  public static func seconds(_ seconds: Int64, from now: Int64 = Validity.now()) -> Validity {
    Validity(notBefore: now - backdating, notAfter: now + seconds)
  }

  /// The same, that lasts a number of days.
  public static func days(_ days: Int, from now: Int64 = Validity.now()) -> Validity {
    seconds(Int64(days) * 86_400, from: now)
  }

  /// When a certificate is to be renewed: after two thirds of the time for which it was made.
  public var renewal: Int64 {
    let begin = notBefore + Validity.backdating
    return begin + max(0, notAfter - begin) / 3 * 2
  }

  /// What a node's or client's certificate has unless told otherwise: a year.
  public static var leaf: Validity { days(365) }
  /// What a CA's certificate has unless told otherwise: ten years.
  public static var authority: Validity { days(3650) }

  /// The wall clock in seconds since 1970.
  @Sendable public static func now() -> Int64 { Int64(time(nil)) }
}
