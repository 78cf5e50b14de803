import Bytes

/// The session of a writer: a UUIDv7 (RFC 9562 §5.7), which begins with the time at which it was made.
public struct SessionID: Hashable, Sendable, CustomStringConvertible {
  /// The number of bytes of a session.
  public static let byteCount = 16

  /// The 16 bytes.
  public let bytes: [UInt8]

  /// A session made at a time, in milliseconds since 1970, from random bits.
  public init(milliseconds: UInt64, using random: inout some RandomNumberGenerator) {
    let upper: UInt64 = milliseconds << 16 | 0x7000 | random.next() & 0x0fff
    let lower: UInt64 = 0b10 << 62 | random.next() >> 2
    bytes = [upper, lower].flatMap { word in (0..<8).map { UInt8(truncatingIfNeeded: word >> (56 - 8 * $0)) } }
  }

  /// A session of these bytes, or nil where they are not a UUIDv7.
  public init?(_ bytes: [UInt8]) {
    guard bytes.count == SessionID.byteCount, bytes[6] >> 4 == 7, bytes[8] >> 6 == 0b10 else { return nil }
    self.bytes = bytes
  }

  /// The session of a text form as `description` gives it, in either case of letters; nil for any other text.
  public init?(parsing text: some StringProtocol) {
    let groups = text.utf8.split(separator: UInt8(ascii: "-"), omittingEmptySubsequences: false)
    guard groups.map(\.count) == [8, 4, 4, 4, 12] else { return nil }
    let digits = groups.joined().compactMap { Character(UnicodeScalar($0)).hexDigitValue }
    guard digits.count == 2 * SessionID.byteCount else { return nil }
    self.init(stride(from: 0, to: digits.count, by: 2).map { UInt8(digits[$0] << 4 | digits[$0 + 1]) })
  }

  /// When the session was made, in milliseconds since 1970.
  public var milliseconds: UInt64 {
    bytes.prefix(6).reduce(0) { $0 << 8 | UInt64($1) }
  }

  /// The five groups of lower-case hexadecimal digits of RFC 9562.
  public var description: String {
    var text = ""
    for (place, byte) in bytes.enumerated() {
      if [4, 6, 8, 10].contains(place) { text += "-" }
      text += String(byte >> 4, radix: 16) + String(byte & 15, radix: 16)
    }
    return text
  }
}

/// The name of one write, by which a repeated one is known and applied once.
public struct RequestID: Hashable, Sendable, CustomStringConvertible {
  /// The writer's session.
  public let session: SessionID
  /// The number of the write within the session, from 1.
  public let sequence: UInt64

  /// The id of a write of a session.
  public init(session: SessionID, sequence: UInt64) {
    self.session = session
    self.sequence = sequence
  }

  /// The id of a text form as `description` gives it; nil for any other text.
  public init?(parsing text: String) {
    let parts = text.split(separator: "/", omittingEmptySubsequences: false)
    guard parts.count == 2, let session = SessionID(parsing: parts[0]) else { return nil }
    // One form for each number: no sign, no leading zero.
    guard let sequence = UInt64(parts[1]), sequence > 0, String(sequence) == parts[1] else { return nil }
    self.init(session: session, sequence: sequence)
  }

  /// The session and the sequence: `0192f3a4-…-…/7`.
  public var description: String { "\(session)/\(sequence)" }
}
