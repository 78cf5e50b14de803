import Bytes

/// The command of a partition's log: a batch of writes that the leader has already decided on.
///
/// A follower applies it without reading anything: conditions and repeated ids were dealt with before.
///
///     kind u8 = 1 | first version u64 | writes varint | write …
///     write: session 2 × u64 | sequence varint | acknowledged varint | payload digest u64
///            | record kind u8 | key length varint | value length varint | key | value
///
/// The n-th write has the version `first + n`.
struct PartitionCommand {
  /// One write of the batch.
  struct Write {
    let id: RequestID
    /// All sequences of the session up to this one were answered and may be forgotten.
    let acknowledged: UInt64
    /// Tells a repetition of the write from another write under the same id.
    let digest: UInt64
    let kind: Record.Kind
    let key: Key
    let value: [UInt8]

    /// The size that the write adds to a command, at most.
    var encodedBytes: Int { 60 + key.bytes.count + value.count }
  }

  static let kindCode: UInt8 = 1
  private static let versionOffset = 1

  /// The encoded command for writes whose first version is known.
  static func encode(_ writes: some Collection<Write>, first: Version) -> [UInt8] {
    var size = 16
    for write in writes { size += write.encodedBytes }
    var writer = ByteWriter(capacity: size)
    writer.u8(kindCode)
    writer.u64(first.rawValue)
    writer.varint(UInt64(writes.count))
    for write in writes {
      writer.u64(write.id.session.high)
      writer.u64(write.id.session.low)
      writer.varint(write.id.sequence)
      writer.varint(write.acknowledged)
      writer.u64(write.digest)
      writer.u8(write.kind.rawValue)
      writer.varint(UInt64(write.key.bytes.count))
      writer.varint(UInt64(write.value.count))
      writer.raw(write.key.bytes)
      writer.raw(write.value)
    }
    return writer.bytes
  }

  /// What a reader of a command is told of each write; key and value are ranges within the payload.
  struct AppliedWrite {
    let id: RequestID
    let acknowledged: UInt64
    let digest: UInt64
    let version: Version
    let kind: Record.Kind
    let key: Range<Int>
    let value: Range<Int>
  }

  /// The first version of an encoded command; nil where the bytes are none.
  static func firstVersion(of payload: [UInt8]) -> Version? {
    var reader = ByteReader(payload)
    guard (try? reader.u8()) == kindCode, let first = try? reader.u64() else { return nil }
    return Version(rawValue: first)
  }

  /// Reads an encoded command, write by write, without copying keys and values. Gives the last version in it.
  static func decode(_ payload: [UInt8], each: (AppliedWrite) -> Void) throws(ByteError) -> Version {
    var reader = ByteReader(payload)
    let code = try reader.u8()
    guard code == kindCode else {
      throw .malformed(offset: 0, expected: "a partition command of kind 1", found: "kind \(code)")
    }
    let first = Version(rawValue: try reader.u64())
    let count = try reader.count(limit: Limits.writesPerEntry)
    for place in 0..<count {
      let session = SessionID(high: try reader.u64(), low: try reader.u64())
      let sequence = try reader.varint()
      let acknowledged = try reader.varint()
      let digest = try reader.u64()
      let kindOffset = reader.offset
      guard let kind = Record.Kind(rawValue: try reader.u8()) else {
        throw .malformed(offset: kindOffset, expected: "a record kind of 0 or 1", found: "another")
      }
      let keyLength = try reader.count(limit: Limits.keyBytes.rawValue)
      let valueLength = try reader.count(limit: Limits.valueBytes.rawValue)
      let key = try reader.range(keyLength)
      let value = try reader.range(valueLength)
      each(
        AppliedWrite(
          id: RequestID(session: session, sequence: sequence), acknowledged: acknowledged, digest: digest,
          version: first.advanced(by: UInt64(place)), kind: kind, key: key, value: value))
    }
    try reader.finish()
    return count == 0 ? first : first.advanced(by: UInt64(count - 1))
  }
}
