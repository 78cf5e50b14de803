import Bytes

/// The command of a partition's log that changes nothing: it fixes one index, at which all replicas hold what they have
/// for a check (DESIGN §8).
///
///     kind u8 = 2 | check u64
///
/// A replica that does not expect the check, as one that replays its log, passes over the entry.
struct CheckMark: Equatable {
  static let kindCode = PartitionCommand.Kind.check.rawValue

  /// The check's number.
  let check: UInt64

  init(check: UInt64) {
    self.check = check
  }

  func encode() -> [UInt8] {
    var writer = ByteWriter(capacity: 9)
    writer.u8(Self.kindCode)
    writer.u64(check)
    return writer.bytes
  }

  /// Reads a mark; nil where the payload is another command.
  init?(payload: [UInt8]) {
    var reader = ByteReader(payload)
    guard let code = try? reader.u8(), code == Self.kindCode, let check = try? reader.u64(), reader.isAtEnd else {
      return nil
    }
    self.check = check
  }
}
